"""The creation of topics, and of partitions for topics that have too few."""

import asyncio
from collections.abc import Mapping
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
    if missing:
        response = await admin.create_topics(missing)
        for name, code, *message in response.topic_errors:
            error = for_code(code)
            if code and error is not TopicAlreadyExistsError:
                raise Misconfigured(f"cannot create topic {name}: {error.__name__} {message}")
    created = {topic.name: settings.partitions for topic in missing}
    partitions_of(existing | created, settings.partitions)
    await _until_listed(admin, created, settings)
    if existing and (wrong := (await check_settings(admin, settings)).wrong):
        raise Misconfigured("; ".join(wrong))
    return list(created)


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
        await _until_listed(admin, dict.fromkeys(few, settings.partitions), settings)
    return few


async def _until_listed(
    admin: AIOKafkaAdminClient, expected: Mapping[str, int], settings: Settings
) -> None:
    """Return when the broker lists the topics with these numbers of partitions."""
    try:
        async with asyncio.timeout(settings.wait_s):
            while not expected.items() <= (await partition_counts(admin, settings)).items():
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        raise Retryable("Kafka", f"does not list the new topics: {', '.join(expected)}") from None
