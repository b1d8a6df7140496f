"""What operators and engines see of real workers."""
