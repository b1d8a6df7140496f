"""The schema, step by step: append only; an applied file never changes."""
