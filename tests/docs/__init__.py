"""Tests of the documentation: what it says is so, and what it prints runs."""
