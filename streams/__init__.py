"""Kafka through aiokafka: access, topics, partitions, records, offsets, waits, crash points."""
