"""A console, asked over HTTP: for whoever can reach neither Kafka nor Postgres."""
