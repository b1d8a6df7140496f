"""The behaviour of Faust and Kafka that `streams` relies on, against real brokers."""
