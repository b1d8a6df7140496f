"""Engines: what they say that they run, and what they were seen to execute."""
