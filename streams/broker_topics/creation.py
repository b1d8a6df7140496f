"""The creation of topics, and of partitions for topics that have too few."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from schemas.errors import Misconfigured, Retryable
from schemas.settings import Settings
from streams.broker_topics.checks import check_settings, partition_counts, partitions_of
from streams.topics import Topics

_POLL_S: Final = 0.05


async def create_topics(admin: AIOKafkaAdminClient, settings: Settings) -> list[str]:
    """Create the topics that do not exist, and return their names.

    Returns when the broker lists them, so that a worker can start. Existing topics stay unchanged.
    Raises Misconfigured if their number of partitions differs from the settings', or if they have
    wrong settings; Retryable if the broker does not list new ones within ``settings.wait_s``
    seconds.
    """
    topics = Topics.of(settings)
    existing = await partition_counts(admin, settings)
    missing = [
        NewTopic(
            name,
            settings.partitions,
            settings.replication_factor,
            topic_configs=topics.config_of(name, settings),
        )
        for name in topics.all()
        if name not in existing
    ]
    created = await _create(admin, missing) if missing else []
    # A topic that somebody has just made may not be listed at first. It is checked all the same.
    found = existing.keys() | {topic.name for topic in missing} - set(created)
    expected = dict.fromkeys(created, settings.partitions) | dict.fromkeys(found, 1)
    partitions_of(await _when_listed(admin, expected, settings), settings.partitions)
    if found and (wrong := (await check_settings(admin, settings)).wrong):
        raise Misconfigured("; ".join(wrong))
    return created


async def create_topic_of_spans(admin: AIOKafkaAdminClient, settings: Settings) -> list[str]:
    """Create the topic that the bridge reads, if it does not exist, and return its name if so.

    It has the broker's settings, as if the OpenTelemetry Collector had created it.
    """
    topic = settings.bridge.bridge_topic
    if topic in await admin.list_topics():
        return []
    return await _create(admin, [NewTopic(topic, settings.partitions, settings.replication_factor)])


async def _create(admin: AIOKafkaAdminClient, topics: Sequence[NewTopic]) -> list[str]:
    """Create the topics, and return the names of those that did not exist."""
    created = []
    response = await admin.create_topics(topics)
    for name, code, *message in response.topic_errors:
        error = for_code(code)
        if not code:
            created.append(name)
        elif error is not TopicAlreadyExistsError:
            raise Misconfigured(f"cannot create topic {name}: {error.__name__} {message}")
    return created


async def add_partitions(admin: AIOKafkaAdminClient, settings: Settings) -> dict[str, int]:
    """Give every topic that exists as many partitions as the settings say.

    Return the topics that had fewer, with the number that they had, when the broker lists the new
    partitions. Raises Misconfigured if a topic has more, because Kafka cannot remove partitions.
    """
    counts = await partition_counts(admin, settings)
    if max(counts.values(), default=0) > settings.partitions:
        partitions_of(counts, settings.partitions)
    few = {name: count for name, count in counts.items() if count < settings.partitions}
    if few:
        await admin.create_partitions({name: NewPartitions(settings.partitions) for name in few})
        await _when_listed(admin, dict.fromkeys(few, settings.partitions), settings)
    return few


async def _when_listed(
    admin: AIOKafkaAdminClient, expected: Mapping[str, int], settings: Settings
) -> dict[str, int]:
    """Return the topics' numbers of partitions when the broker lists at least so many of each."""
    try:
        async with asyncio.timeout(settings.wait_s):
            while True:
                counts = await partition_counts(admin, settings)
                if all(counts.get(name, 0) >= number for name, number in expected.items()):
                    return counts
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        raise Retryable("Kafka", f"does not list the new topics: {', '.join(expected)}") from None
