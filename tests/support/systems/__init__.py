"""Workers of ours that run in tests: whole systems, single roles, and the command line."""
