"""What becomes of a deployment: if it is stopped, held or refused before it becomes a version."""
