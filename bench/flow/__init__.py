"""The records that a benchmark sends and reads, and the raw Kafka programs beside it."""
