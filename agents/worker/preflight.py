"""The checks before a worker starts: Kafka must have the topics and a free partition.

A check waits for a broker that does not answer, and raises Misconfigured for an error that an
operator has to correct.
"""

import asyncio

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError

from schemas.errors import Misconfigured, Retryable
from schemas.settings import Settings
from streams.admin import cluster_id_of, kafka_admin
from streams.retries import when_it_answers
from streams.topics import group_of, require_topics
from streams.waits import Waits


async def require_kafka(settings: Settings, role: str, waits: Waits) -> tuple[int, str]:
    """Return how many partitions the topics have, and the id of the cluster.

    Waits for a broker that does not answer. Raises Misconfigured if a topic is missing, or if there
    is no partition for one more worker of this role.
    """

    async def ask() -> tuple[int, str]:
        async with kafka_admin(settings) as admin:
            return await require_topics(admin, settings), await cluster_id_of(admin)

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
                members = await _members(admin, group)
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


async def _members(admin: AIOKafkaAdminClient, group: str) -> int:
    """Return how many members the group has."""
    count = 0
    for response in await admin.describe_consumer_groups([group]):
        for error, _group, _state, _protocol_type, _protocol, members, *_ in response.groups:
            if error == GroupAuthorizationFailedError.errno:
                raise Misconfigured(f"Kafka does not allow this user to read as the group {group}")
            count += len(members)
    return count
