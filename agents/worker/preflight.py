"""Before a worker starts: is everything there that it needs? Waits for what may come, and raises
Misconfigured for what an operator has to mend.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupAuthorizationFailedError, KafkaConnectionError, KafkaError

from schemas.errors import Misconfigured, Retryable
from schemas.settings import Settings
from streams.access import kafka_options, require_welcome
from streams.retries import when_it_answers
from streams.topics import group_of, require_topics
from streams.waits import Waits


@asynccontextmanager
async def kafka_admin(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """A connected admin client. Retryable that names the address where none answers."""
    brokers = ",".join(settings.kafka_brokers)
    admin = AIOKafkaAdminClient(**kafka_options(settings))
    try:
        await admin.start()
    except KafkaError as error:
        await admin.close()
        await require_welcome(settings)
        said = "" if isinstance(error, KafkaConnectionError) else f" ({error!r})"
        raise Retryable("Kafka", f"{brokers} does not answer{said}") from None
    try:
        yield admin
    except KafkaError as error:
        raise Retryable("Kafka", f"{brokers}: {error}") from error
    finally:
        await admin.close()


async def require_kafka(settings: Settings, role: str, waits: Waits) -> int:
    """How many partitions the topics have, once the broker answers and there is room for one more
    worker of this role.
    """

    async def ask() -> int:
        async with kafka_admin(settings) as admin:
            return await require_topics(admin, settings)

    partitions = await when_it_answers(ask, waits)
    await _require_room(settings, role, partitions)
    return partitions


async def _require_room(settings: Settings, role: str, partitions: int) -> None:
    """Misconfigured where the group has a member for each partition already.

    A worker that died is a member until its session ends, so a full group is asked again until
    then. A broker that does not say who is in a group is not asked further.
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
                f"{members} {role} workers are there for {partitions} partitions: one more would "
                "have nothing to do"
            )
        await asyncio.sleep(1)


async def _members(admin: AIOKafkaAdminClient, group: str) -> int:
    count = 0
    for response in await admin.describe_consumer_groups([group]):
        for error, _group, _state, _protocol_type, _protocol, members, *_ in response.groups:
            if error == GroupAuthorizationFailedError.errno:
                raise Misconfigured(f"Kafka does not allow this user to read as the group {group}")
            count += len(members)
    return count
