"""The topics as the broker has them: created, checked at the start, watched while a role runs."""
