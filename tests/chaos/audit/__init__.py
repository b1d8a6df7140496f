"""What a chaos run must have led to, and the check that it did."""
