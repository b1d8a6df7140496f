"""The parts of `db` that need no Postgres."""
