"""Pairs of versions of code, each with the findings that must come of it, by subject."""
