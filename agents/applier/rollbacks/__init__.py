"""Rollback commands: whether they are carried out, held or rejected, and their outcomes."""
