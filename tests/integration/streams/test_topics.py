"""The settings of the created topics, as the broker has them."""

import asyncio
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from rollguard.operations.setup import create_missing_topics
from schemas.errors import Misconfigured, Retryable
from schemas.settings import load_settings
from streams.admin import kafka_admin
from streams.broker_topics.checks import require_topics
from streams.broker_topics.creation import create_topics
from streams.topic_reader import open_reader
from streams.topics import Topics
from tests.support.servers.topic_changes import create_topic, set_partitions

DAY_MS = 24 * 60 * 60 * 1000


@pytest.mark.kafka
async def test_retention_and_compaction(apache_kafka: str, topic_prefix: str) -> None:
    settings = load_settings(
        kafka_brokers=apache_kafka,
        topic_prefix=topic_prefix,
        partitions=1,
        retention_days=3,
        dead_letter_retention_days=90,
    )
    await create_missing_topics(settings)
    topics = Topics.of(settings)
    configs: dict[str, dict[str, str]] = {}
    async with kafka_admin(settings) as admin:
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in topics.all()]
        for response in await admin.describe_configs(resources):
            for _error, _message, _type, name, entries in response.resources:
                configs[name] = {entry[0]: entry[1] for entry in entries}
    for name in topics.all():
        compacted = name in (topics.versions, topics.changelog)
        policy = "compact,delete" if name == topics.reports else "delete"
        assert configs[name]["cleanup.policy"] == ("compact" if compacted else policy)
        assert configs[name]["message.timestamp.type"] == "LogAppendTime"
        if not compacted:
            days = 90 if name == topics.dead_letters else 3
            assert configs[name]["retention.ms"] == str(days * DAY_MS)


class _Lagging:
    """An admin of a broker that lists new topics only after it was asked some times."""

    def __init__(self, admin: AIOKafkaAdminClient, times: int) -> None:
        self._admin = admin
        self._left = times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._admin, name)

    async def list_topics(self) -> list[str]:
        self._left -= 1
        return [] if self._left >= 0 else await self._admin.list_topics()


async def test_topics_are_listed_when_they_are_created(kafka: str, topic_prefix: str) -> None:
    """A worker that starts then must not find that they are missing."""
    settings = load_settings(kafka_brokers=kafka, topic_prefix=topic_prefix)
    async with kafka_admin(settings) as admin:
        lagging: Any = _Lagging(admin, 3)
        assert set(await create_topics(lagging, settings)) == set(Topics.of(settings).all())
        assert await require_topics(lagging, settings) == settings.partitions
        assert await create_topics(lagging, settings) == []
        other = load_settings(kafka_brokers=kafka, topic_prefix=f"{topic_prefix}x-", wait_s=0.3)
        never: Any = _Lagging(admin, 1_000)
        with pytest.raises(Retryable, match=r"does not list the new topics: .*tool-executions"):
            await create_topics(never, other)


@pytest.mark.kafka
async def test_a_topic_that_was_made_a_moment_ago_is_checked_too(
    apache_kafka: str, topic_prefix: str
) -> None:
    """The broker does not list it yet, so it seems to be missing, and cannot be created."""
    settings = load_settings(kafka_brokers=apache_kafka, topic_prefix=topic_prefix)
    name = Topics.of(settings).executions
    async with kafka_admin(settings) as admin:
        await create_topic(admin, settings, name, message_timestamp_type="CreateTime")
        lagging: Any = _Lagging(admin, 1)
        with pytest.raises(Misconfigured, match=f"topic {name}: message.timestamp.type"):
            await create_topics(lagging, settings)


@pytest.mark.kafka
async def test_a_reader_follows_into_partitions_that_are_added(
    apache_kafka: str, topic_prefix: str
) -> None:
    """A registry must hear of the versions of tools that have moved."""
    settings = load_settings(kafka_brokers=apache_kafka, topic_prefix=topic_prefix, partitions=1)
    await create_missing_topics(settings)
    topic = Topics.of(settings).versions
    read: list[tuple[int, bytes | None]] = []
    async with (
        open_reader(settings, topic, from_beginning=True) as reader,
        AIOKafkaProducer(bootstrap_servers=apache_kafka) as producer,
    ):

        async def until_read(count: int) -> None:
            while len(read) < count:
                read.extend((each.partition, each.value) for each in await reader.poll())

        await producer.send_and_wait(topic, b"1", key=b"a")
        await asyncio.wait_for(until_read(1), 120)
        await set_partitions(settings, 2, topic, producer=producer)
        for value, partition in ((b"2", 0), (b"3", 1), (b"4", 1)):
            await producer.send_and_wait(topic, value, key=b"a", partition=partition)
        await asyncio.wait_for(until_read(4), 240)
        assert await reader.caught_up()
    assert sorted(read) == [(0, b"1"), (0, b"2"), (1, b"3"), (1, b"4")]
