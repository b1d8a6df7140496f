"""Events as they happen: read once from Kafka, and sent to everybody who listens."""
