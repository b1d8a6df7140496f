"""The HTTP API: one module for each subject, and what all answers have in common."""
