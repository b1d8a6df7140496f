"""Versions of tools in processes of their own, with limits, that leave nothing behind."""
