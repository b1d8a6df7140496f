"""The row of a tool, and how an execution is counted into it."""
