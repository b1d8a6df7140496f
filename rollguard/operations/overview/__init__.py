"""How the system and its tools do now: asked of detectors, of Kafka and of Postgres."""
