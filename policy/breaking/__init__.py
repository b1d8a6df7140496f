"""What new code breaks for the callers of the old code. Nothing is executed."""
