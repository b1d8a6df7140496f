"""Kafka, as the roles use it: topics, records, offsets, errors, waits; Faust is in ``driver``."""
