"""A stage: topics with one log in them, and the commands that came of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import NewTopic

from bench.flow.traffic import Log
from rollguard.operations.setup import create_missing_topics
from rollguard_client.kafka.access import consumer_options
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
        """Send the log to new topics of four partitions; return when all is acknowledged."""
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
        """The Kafka brokers, separated by commas."""
        return ",".join(self.settings.kafka_brokers)

    @property
    def topic(self) -> str:
        """The topic that holds the log."""
        return Topics.of(self.settings).executions

    @property
    def prefix(self) -> str:
        """The prefix of all topics and groups of the stage."""
        return self.settings.topic_prefix

    def partitions_of(self, topic: str) -> list[TopicPartition]:
        """Return the topic partitions of a topic of the stage."""
        return [TopicPartition(topic, number) for number in range(self.settings.partitions)]

    async def create(self, topic: str) -> None:
        """Create a topic like the others."""
        async with kafka_admin(self.settings) as admin:
            new = NewTopic(topic, self.settings.partitions, self.settings.replication_factor)
            await admin.create_topics([new])

    @asynccontextmanager
    async def reader(self, topic: str) -> AsyncIterator[AIOKafkaConsumer]:
        """Yield a consumer of the whole topic from its beginning, without a group."""
        consumer = AIOKafkaConsumer(**consumer_options(self.settings), enable_auto_commit=False)
        await consumer.start()
        try:
            consumer.assign(self.partitions_of(topic))
            await consumer.seek_to_beginning()
            yield consumer
        finally:
            await consumer.stop()

    async def commands(self, topic: str) -> list[RollbackCommand]:
        """Return all commands that the topic holds now; those of one tool are in order."""
        async with self.reader(topic) as consumer:
            ends = await consumer.end_offsets(self.partitions_of(topic))
            found = []
            while [each for each in ends if await consumer.position(each) < ends[each]]:
                fetched = await consumer.getmany(timeout_ms=200)
                found += [record.value for records in fetched.values() for record in records]
        return [RollbackCommand.from_bytes(value) for value in found]
