"""What is kept: versions, rollbacks and executions in Postgres.

Each file of typed functions has its SQL beside it (`versions.py`, `versions.sql`). All functions
take a connection and raise what `db.postgres.errors.postgres_errors` makes of Postgres' errors.
"""
