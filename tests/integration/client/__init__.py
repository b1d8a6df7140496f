"""The client of engines with real brokers."""
