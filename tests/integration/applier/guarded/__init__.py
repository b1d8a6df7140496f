"""The applier's parts against a real Postgres."""
