"""Versions: deployed, read and counted."""
