"""The checks before a worker starts: Kafka must have the topics and a free partition.

A check waits for a broker that does not answer, and raises Misconfigured for an error that an
operator has to correct.
"""

import asyncio
from typing import NamedTuple

import structlog
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from schemas.errors import Misconfigured, Retryable
from schemas.settings import Settings
from streams.admin import cluster_id_of, kafka_admin, members_of
from streams.broker_topics.checks import check_settings, partitions_of_foreign, require_topics
from streams.retries import when_it_answers
from streams.topics import group_of
from streams.waits import Waits

log = structlog.get_logger()


class FoundKafka(NamedTuple):
    """What a worker must know of Kafka before it starts."""

    partitions: int
    """How many partitions each of our topics has."""
    source_partitions: int
    """How many each of the topics has that the role reads."""
    cluster_id: str


async def require_kafka(settings: Settings, role: str, waits: Waits) -> FoundKafka:
    """Return how many partitions the topics have, and the id of the cluster.

    Waits for a broker that does not answer. Raises Misconfigured if a topic is missing or has wrong
    settings, or if there is no partition for one more worker of this role.
    """

    async def ask() -> FoundKafka:
        async with kafka_admin(settings) as admin:
            partitions = await require_topics(admin, settings)
            source_partitions = partitions
            if role == "bridge":
                source_partitions = await _partitions_of_spans(admin, settings)
            cluster_id = await cluster_id_of(admin)
            found = await check_settings(admin, settings)
        if found.wrong:
            raise Misconfigured("; ".join(found.wrong))
        if found.unread:
            log.warning("topic_settings_unread", topics=found.unread)
        return FoundKafka(partitions, source_partitions, cluster_id)

    kafka = await when_it_answers(ask, waits)
    await _require_free_partition(settings, role, kafka.source_partitions)
    return kafka


async def _partitions_of_spans(admin: AIOKafkaAdminClient, settings: Settings) -> int:
    """Return how many partitions the bridge's topic has.

    Raises Retryable if it does not exist, because the Collector may create it with its first spans.
    """
    topic = settings.bridge.bridge_topic
    partitions = await partitions_of_foreign(admin, topic)
    if partitions is None:
        raise Retryable(
            "Kafka",
            f"the topic {topic} (ROLLGUARD_BRIDGE_TOPIC) does not exist yet: the Collector or "
            "`rollguard topics --bridge` creates it",
        )
    return partitions


async def _require_free_partition(settings: Settings, role: str, partitions: int) -> None:
    """Raise Misconfigured if the group already has a member for each partition.

    A worker that died remains a member until its session ends, so the check is repeated until
    then. If the broker does not return the members of the group, nothing is checked.
    """
    group = group_of(settings, role)
    deadline = asyncio.get_running_loop().time() + settings.session_timeout_s + 2
    while True:
        try:
            async with kafka_admin(settings) as admin:
                members = len(await members_of(admin, group))
        except (KafkaError, Retryable, ValueError, NotImplementedError):
            return
        if members < partitions:
            return
        if asyncio.get_running_loop().time() > deadline:
            raise Misconfigured(
                f"{members} {role} workers run for {partitions} partitions: one more would have "
                "nothing to do"
            )
        await asyncio.sleep(1)
