"""The audit of a chaos run: its final state, the expected results, and their comparison."""
