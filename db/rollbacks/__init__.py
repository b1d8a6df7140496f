"""Rollback commands in Postgres: applied, rejected, held; pins, and which code is trusted."""
