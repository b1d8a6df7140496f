"""Pairs of versions of code with the findings that a comparison must return, by subject."""
