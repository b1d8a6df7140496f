"""A system that is reached by Kafka and Postgres themselves."""
