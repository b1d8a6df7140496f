"""Pairs of generated code: the verdict of the comparison against what the running Python does."""
