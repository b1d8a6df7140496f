"""Tests of the parts of `db` that need no Postgres."""
