"""How far the roles' consumer groups have got, and who is in them, as the broker says."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Final, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from schemas.settings import Settings
from streams.topics import Topics, group_of

_POLL_S: Final = 0.05


class Groups:
    """The groups of one topic prefix; made by :meth:`of`."""

    def __init__(
        self, settings: Settings, admin: AIOKafkaAdminClient, consumer: AIOKafkaConsumer
    ) -> None:
        self._settings = settings
        self._admin = admin
        self._consumer = consumer

    @classmethod
    @asynccontextmanager
    async def of(cls, settings: Settings) -> AsyncIterator[Self]:
        brokers = list(settings.kafka_brokers)
        admin = AIOKafkaAdminClient(bootstrap_servers=brokers)
        consumer = AIOKafkaConsumer(bootstrap_servers=brokers, enable_auto_commit=False)
        await admin.start()
        try:
            await consumer.start()
            yield cls(settings, admin, consumer)
        finally:
            await consumer.stop()
            await admin.close()

    async def behind(self, role: str) -> int:
        """Records that the role has not committed yet."""
        group = group_of(self._settings, role)
        places = [
            TopicPartition(topic, number)
            for topic in _reads(self._settings, role)
            for number in range(self._settings.partitions)
        ]
        ends = await self._consumer.end_offsets(places)
        try:
            committed = await self._admin.list_consumer_group_offsets(group, partitions=places)
        except KafkaError:
            committed = {}  # nobody has joined the group yet
        return sum(
            end - (max(committed[place].offset, 0) if place in committed else 0)
            for place, end in ends.items()
        )

    async def caught_up(self, roles: Iterable[str], timeout_s: float = 600.0) -> None:
        """Return when no role is behind; else TimeoutError."""
        async with asyncio.timeout(timeout_s):
            for role in roles:
                while await self.behind(role):
                    await asyncio.sleep(_POLL_S)

    async def members(self, role: str) -> tuple[str, frozenset[str]]:
        """The state of the role's group, and the ids of its members: a worker that left and came
        back has another.
        """
        [response] = await self._admin.describe_consumer_groups([group_of(self._settings, role)])
        _, _, state, _, _, members, *_ = response.groups[0]
        return state, frozenset(member[0] for member in members)


def _reads(settings: Settings, role: str) -> tuple[str, ...]:
    topics = Topics.of(settings)
    if role == "applier":
        return topics.deployments, topics.commands
    return (topics.executions,)
