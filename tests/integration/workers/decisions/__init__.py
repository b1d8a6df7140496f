"""What real workers decide, and what they say about it."""
