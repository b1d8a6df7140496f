"""The resolution of names and conditions: what they stand for in the running Python."""
