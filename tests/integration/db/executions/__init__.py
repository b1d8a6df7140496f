"""Executions: recorded, exported and pruned."""
