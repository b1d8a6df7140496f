"""Versions, rollbacks and executions in Postgres.

Each module of typed functions has its SQL in a file of the same name beside it (`records.py`,
`records.sql`). All functions take a connection. They raise what
`db.postgres.errors.postgres_errors` makes of the errors of Postgres.
"""
