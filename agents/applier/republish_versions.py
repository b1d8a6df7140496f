"""The republishing of current versions before compaction.

A worker that stood still ends before it sends (``streams.suspend_watchdog``). But a request that
its machine had begun to send may still arrive, so that an old version follows the current one. A
reader of the whole topic ignores it, because its activation is smaller. But compaction keeps the
last record, which would be the old version. Therefore the current one is published again before.
"""

from datetime import timedelta
from typing import Final

from aiokafka import TopicPartition

from agents.applier.waiting.free_tools import of_free_tools
from db.postgres.locks import locked_tools
from db.postgres.pool import Pool, acquire
from db.versions.reading import activated_within, current_version
from schemas.settings import Settings
from streams.driver.driver import Driver
from streams.driver.outbox import Outbox, Outgoing
from streams.partitions import partition_of
from streams.topics import Topics

RECENTLY: Final = timedelta(hours=1)
"""A version that became current longer ago than this was published again several times already."""


class RepublishVersions:
    """Publishes the current versions of the tools whose deployments this applier reads."""

    def __init__(
        self, driver: Driver, pool: Pool, outbox: Outbox, partitions: int, settings: Settings
    ) -> None:
        self._driver = driver
        self._pool = pool
        self._outbox = outbox
        self._partitions = partitions
        self._topics = Topics.of(settings)

    async def republish(self) -> int:
        """Publish again what became current in the last hour, and return how many versions.

        Each is published under its tool's lock. Raises Retryable. A tool that somebody else has
        locked keeps no other one waiting: it is published the next time.
        """
        async with acquire(self._pool) as conn:
            tools = await activated_within(conn, RECENTLY)
        return await of_free_tools("republish", tools, self._publish_if_ours)

    async def _publish_if_ours(self, tool: str) -> int:
        partition = partition_of(tool.encode(), self._partitions)
        if TopicPartition(self._topics.deployments, partition) not in self._driver.assigned():
            return 0
        await self._publish(tool)
        return 1

    async def _publish(self, tool: str) -> None:
        async with locked_tools(self._pool, tool) as conn:
            version = await current_version(conn, tool)
            if version is not None:
                await self._outbox.publish([Outgoing.of(self._topics.versions, tool, version)])
