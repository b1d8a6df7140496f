"""Decisions of real workers, and their explanations."""
