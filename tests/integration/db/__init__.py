"""Every function of `db` against a real Postgres."""
