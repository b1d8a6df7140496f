"""The metrics that every worker has: its health, its lag, its batches."""
