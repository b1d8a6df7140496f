"""The worker process: its start and stop, its health, its HTTP endpoints, its metrics and logs."""
