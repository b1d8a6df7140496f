"""The recorder, which writes every execution to Postgres once and counts it for its version."""
