"""Tool versions in Postgres: deployed and read, with their metrics."""
