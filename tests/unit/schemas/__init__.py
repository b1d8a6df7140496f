"""Messages and settings."""
