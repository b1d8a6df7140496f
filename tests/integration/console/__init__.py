"""Tests of the console with real workers, Kafka and Postgres."""
