"""Kafka through aiokafka: access, topics, errors, reading a topic."""
