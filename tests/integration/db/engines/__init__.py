"""What engines say and do."""
