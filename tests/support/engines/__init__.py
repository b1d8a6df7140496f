"""Engines in tests: their tools, and the versions that they keep."""
