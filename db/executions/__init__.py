"""Executions in Postgres: recorded, queried, exported and pruned."""
