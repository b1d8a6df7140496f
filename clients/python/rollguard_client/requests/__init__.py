"""Requests to the applier, their answers, and what it says to all."""
