"""Clients of Kafka that are not ours, as they are by default. Their calls block."""

import warnings
from collections.abc import Iterator
from typing import Protocol

import confluent_kafka

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # kafka-python reads its files the old way
    import kafka


class OtherClient(Protocol):
    """A producer and a reader of topics."""

    def send(self, topic: str, key: bytes, value: bytes) -> None:
        """Hand a record over; its own partitioner chooses where it lies."""

    def flush(self) -> None:
        """Return when the broker has all records; raise an error if it has not."""

    def read(self, topic: str) -> Iterator[tuple[bytes, bytes]]:
        """Yield keys and values from the beginning of the topic on, without end."""


class ConfluentClient:
    """The client of Confluent, on librdkafka: it places records by CRC32."""

    def __init__(self, brokers: str) -> None:
        self._brokers = brokers
        self._producer = confluent_kafka.Producer({"bootstrap.servers": brokers})
        self._failed: list[object] = []

    def send(self, topic: str, key: bytes, value: bytes) -> None:
        self._producer.produce(topic, value, key, on_delivery=self._delivered)
        self._producer.poll(0)

    def _delivered(self, error: object, _: object) -> None:
        if error is not None:
            self._failed.append(error)

    def flush(self) -> None:
        left = self._producer.flush(60)
        assert (left, self._failed) == (0, [])

    def read(self, topic: str) -> Iterator[tuple[bytes, bytes]]:
        options = {
            "bootstrap.servers": self._brokers,
            "group.id": f"reads-{topic}",
            "auto.offset.reset": "earliest",
        }
        consumer = confluent_kafka.Consumer(options)
        try:
            consumer.subscribe([topic])
            while True:
                record = consumer.poll(1.0)
                if record is not None:
                    assert record.error() is None, record.error()
                    yield record.key() or b"", record.value() or b""
        finally:
            consumer.close()


class KafkaPythonClient:
    """kafka-python: it places records by murmur2, as Kafka's own client does."""

    def __init__(self, brokers: str) -> None:
        self._brokers = brokers
        self._producer = kafka.KafkaProducer(bootstrap_servers=brokers)
        self._sent: list[object] = []

    def send(self, topic: str, key: bytes, value: bytes) -> None:
        self._sent.append(self._producer.send(topic, value, key=key))

    def flush(self) -> None:
        self._producer.flush(60)
        for each in self._sent:
            each.get(1)  # type: ignore[attr-defined]
        self._sent.clear()

    def read(self, topic: str) -> Iterator[tuple[bytes, bytes]]:
        consumer = kafka.KafkaConsumer(
            topic, bootstrap_servers=self._brokers, auto_offset_reset="earliest"
        )
        try:
            for record in consumer:
                yield record.key or b"", record.value or b""
        finally:
            consumer.close()
