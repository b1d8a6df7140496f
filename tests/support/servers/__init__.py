"""Servers for tests: Kafka, Postgres, PgBouncer, and what stands between them and their clients."""
