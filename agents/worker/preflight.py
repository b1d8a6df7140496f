"""The checks before a worker starts: Kafka must have the topics and a free partition.

A check waits for a broker that does not answer, and raises Misconfigured for an error that an
operator has to correct.
"""

import asyncio

import structlog
from aiokafka.errors import KafkaError

from schemas.errors import Misconfigured, Retryable
from schemas.settings import Settings
from streams.admin import cluster_id_of, kafka_admin, members_of
from streams.broker_topics.checks import check_settings, require_topics
from streams.retries import when_it_answers
from streams.topics import group_of
from streams.waits import Waits

log = structlog.get_logger()


async def require_kafka(settings: Settings, role: str, waits: Waits) -> tuple[int, str]:
    """Return how many partitions the topics have, and the id of the cluster.

    Waits for a broker that does not answer. Raises Misconfigured if a topic is missing or has wrong
    settings, or if there is no partition for one more worker of this role.
    """

    async def ask() -> tuple[int, str]:
        async with kafka_admin(settings) as admin:
            partitions, cluster_id = (
                await require_topics(admin, settings),
                await cluster_id_of(admin),
            )
            found = await check_settings(admin, settings)
        if found.wrong:
            raise Misconfigured("; ".join(found.wrong))
        if found.unread:
            log.warning("topic_settings_unread", topics=found.unread)
        return partitions, cluster_id

    partitions, cluster_id = await when_it_answers(ask, waits)
    await _require_free_partition(settings, role, partitions)
    return partitions, cluster_id


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
