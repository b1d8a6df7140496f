"""What is relied on of Faust and Kafka, against real brokers."""
