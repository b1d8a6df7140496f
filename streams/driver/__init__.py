"""All code that uses Faust: the driver of a role, its batches, its messages, its table."""
