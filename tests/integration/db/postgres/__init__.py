"""Postgres itself: schema, locks and errors."""
