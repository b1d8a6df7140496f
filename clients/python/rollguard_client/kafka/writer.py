"""Writing a few records now and then: a connection is opened for them, and closed."""

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer

from rollguard_client.errors import Misconfigured
from rollguard_client.kafka.access import kafka_options
from rollguard_client.kafka.errors import connecting, kafka_errors
from rollguard_client.settings.settings import Settings


async def write(
    settings: Settings, topic: str, records: Sequence[tuple[bytes, bytes | None]]
) -> None:
    """Write keys and values, and return when Kafka has all of them.

    Raises Misconfigured if the topic is missing or may not be written to, Retryable if Kafka does
    not answer. Some records may have been written then.
    """
    producer: Any = AIOKafkaProducer(
        **kafka_options(settings), acks="all", request_timeout_ms=int(settings.wait_s * 1000)
    )
    try:
        async with connecting(settings):
            await producer.start()
        with kafka_errors(settings):
            # Ask for all topics: asking for a single one would create it, if the broker allows it.
            cluster = await producer.client.fetch_all_metadata()
            if not cluster.partitions_for_topic(topic):
                raise Misconfigured(f"{topic} is missing, or may not be written to")
            sent = [await producer.send(topic, value, key=key) for key, value in records]
            await asyncio.gather(*sent)
    finally:
        await producer.stop()
