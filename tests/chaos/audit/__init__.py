"""The audit of a chaos run: what it must have led to, and the check that it did."""
