"""Reads topics from the broker with a plain consumer that has no group.

Records of aborted transactions are left out: they never happened.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord

from schemas.settings import Settings
from tests.chaos.stack import PARTITIONS

_FETCH_BYTES = 8 * 1024 * 1024


@asynccontextmanager
async def _consumer(settings: Settings, topic: str) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=list(settings.kafka_brokers),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=_FETCH_BYTES,
        fetch_max_wait_ms=100,
        isolation_level="read_committed",
    )
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, number) for number in range(PARTITIONS)])
        await consumer.seek_to_beginning()
        yield consumer
    finally:
        await consumer.stop()


async def follow(settings: Settings, topic: str) -> AsyncIterator[ConsumerRecord]:
    """Yield the records of the topic from its beginning, without end."""
    async with _consumer(settings, topic) as consumer:
        async for record in consumer:
            yield record


async def read_all(settings: Settings, topic: str) -> list[ConsumerRecord]:
    """Return all records that the topic holds now, in order within each partition."""
    async with _consumer(settings, topic) as consumer:
        ends = await consumer.end_offsets(consumer.assignment())
        found: list[ConsumerRecord] = []
        while any([await consumer.position(each) < end for each, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found += records
        return found
