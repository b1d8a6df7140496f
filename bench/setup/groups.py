"""The lag and the members of the roles' consumer groups, as the broker says."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Final, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from rollguard_client.kafka.access import consumer_options
from schemas.settings import Settings
from streams.topics import Topics, group_of

_POLL_S: Final = 0.05


class Groups:
    """The groups of one topic prefix; made by ``of``."""

    def __init__(
        self, settings: Settings, admin: AIOKafkaAdminClient, consumer: AIOKafkaConsumer
    ) -> None:
        self._settings = settings
        self._admin = admin
        self._consumer = consumer

    @classmethod
    @asynccontextmanager
    async def of(cls, settings: Settings) -> AsyncIterator[Self]:
        """Connect to the broker of these settings."""
        brokers = list(settings.kafka_brokers)
        admin = AIOKafkaAdminClient(bootstrap_servers=brokers)
        consumer = AIOKafkaConsumer(**consumer_options(settings), enable_auto_commit=False)
        await admin.start()
        try:
            await consumer.start()
            yield cls(settings, admin, consumer)
        finally:
            await consumer.stop()
            await admin.close()

    async def lag(self, role: str) -> int:
        """Return the lag of the role: the number of records that it has not committed yet."""
        group = group_of(self._settings, role)
        partitions = [
            TopicPartition(topic, number)
            for topic in _reads(self._settings, role)
            for number in range(self._settings.partitions)
        ]
        ends = await self._consumer.end_offsets(partitions)
        try:
            committed = await self._admin.list_consumer_group_offsets(group, partitions=partitions)
        except KafkaError:
            committed = {}  # nobody has joined the group yet
        return sum(
            end - (max(committed[each].offset, 0) if each in committed else 0)
            for each, end in ends.items()
        )

    async def caught_up(self, roles: Iterable[str], timeout_s: float = 600.0) -> None:
        """Return when no role has a lag; raise TimeoutError if that takes too long."""
        async with asyncio.timeout(timeout_s):
            for role in roles:
                while await self.lag(role):
                    await asyncio.sleep(_POLL_S)

    async def members(self, role: str) -> tuple[str, frozenset[str]]:
        """Return the state of the role's group and the ids of its members.

        A worker that left the group and came back has another id.
        """
        [response] = await self._admin.describe_consumer_groups([group_of(self._settings, role)])
        _, _, state, _, _, members, *_ = response.groups[0]
        return state, frozenset(member[0] for member in members)


def _reads(settings: Settings, role: str) -> tuple[str, ...]:
    topics = Topics.of(settings)
    if role == "applier":
        return topics.deployments, topics.commands
    if role == "bridge":
        return (settings.bridge.bridge_topic,)
    return (topics.executions,)
