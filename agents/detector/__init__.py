"""The detector, which judges executions, answers health queries and commands rollbacks."""
