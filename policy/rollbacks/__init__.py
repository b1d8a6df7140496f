"""Whether a rollback command is carried out or rejected, and which version it goes back to."""
