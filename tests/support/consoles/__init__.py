"""Consoles in tests, and a system in which every page has something to show."""
