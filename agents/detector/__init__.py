"""The detector: judges executions, answers health queries, and commands rollbacks."""
