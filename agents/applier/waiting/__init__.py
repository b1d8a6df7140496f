"""Tools that cannot be changed now: attempts, what is set aside meanwhile, and what is told."""
