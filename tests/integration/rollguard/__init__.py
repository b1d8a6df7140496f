"""The public Python API against real servers."""
