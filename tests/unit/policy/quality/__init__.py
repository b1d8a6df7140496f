"""Tests of what is counted of successes, and of how it is weighed."""
