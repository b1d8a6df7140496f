"""Postgres itself: connections, locks, errors, schema migrations, named SQL blocks."""
