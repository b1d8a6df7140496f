"""Topics for one log, the log in them, and what came out of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import NewTopic

from bench.flow.traffic import Log
from rollguard.operations.setup import create_missing_topics
from schemas.rollback import RollbackCommand
from schemas.settings import Settings, load_settings
from streams.admin import kafka_admin
from streams.topics import Topics


@dataclass(frozen=True)
class Stage:
    """A published log. Its topics have a prefix that nobody else has."""

    settings: Settings
    log: Log

    @classmethod
    async def published(cls, brokers: str, log: Log) -> Self:
        """The log, acknowledged in new topics of four partitions."""
        settings = load_settings(kafka_brokers=brokers, topic_prefix=f"bench-{uuid4().hex[:8]}-")
        await create_missing_topics(settings)
        stage = cls(settings, log)
        producer = AIOKafkaProducer(bootstrap_servers=brokers, linger_ms=20, max_batch_size=200_000)
        await producer.start()
        try:
            for key, value in log.records:
                sent = await producer.send(stage.topic, value, key=key)
            await producer.flush()
            await sent
        finally:
            await producer.stop()
        return stage

    @property
    def brokers(self) -> str:
        return ",".join(self.settings.kafka_brokers)

    @property
    def topic(self) -> str:
        return Topics.of(self.settings).executions

    @property
    def prefix(self) -> str:
        return self.settings.topic_prefix

    def places(self, topic: str) -> list[TopicPartition]:
        return [TopicPartition(topic, number) for number in range(self.settings.partitions)]

    async def create(self, topic: str) -> None:
        """A topic like the others."""
        async with kafka_admin(self.settings) as admin:
            new = NewTopic(topic, self.settings.partitions, self.settings.replication_factor)
            await admin.create_topics([new])

    @asynccontextmanager
    async def reader(self, topic: str) -> AsyncIterator[AIOKafkaConsumer]:
        """A consumer of the whole topic from its beginning, without a group."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.brokers, enable_auto_commit=False)
        await consumer.start()
        try:
            consumer.assign(self.places(topic))
            await consumer.seek_to_beginning()
            yield consumer
        finally:
            await consumer.stop()

    async def commands(self, topic: str) -> list[RollbackCommand]:
        """All that the topic holds now, in the order of each tool."""
        async with self.reader(topic) as consumer:
            ends = await consumer.end_offsets(self.places(topic))
            found = []
            while [place for place in ends if await consumer.position(place) < ends[place]]:
                fetched = await consumer.getmany(timeout_ms=200)
                found += [record.value for records in fetched.values() for record in records]
        return [RollbackCommand.from_bytes(value) for value in found]
