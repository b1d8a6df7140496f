"""What all workers have: health, logs, dead letters, HTTP endpoints."""
