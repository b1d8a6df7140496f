"""What new code breaks: cases, properties, and Griffe beside it."""
