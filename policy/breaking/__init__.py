"""The pure comparison of two versions of a tool's code: what the new one breaks for callers."""
