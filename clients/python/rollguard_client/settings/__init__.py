"""Where Kafka is, and how the client behaves: arguments, variables of the environment, a file."""
