"""Real worker processes against a real broker and a real Postgres."""
