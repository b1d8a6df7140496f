"""How records come from the threads that call tools to Kafka: a buffer, a thread, a spool."""
