"""The republishing of current versions before compaction.

A worker that stood still ends before it sends (``streams.suspend_watchdog``). But a request that
its machine had begun to send may still arrive, so that an old version follows the current one. A
reader of the whole topic ignores it, because its activation is smaller. But compaction keeps the
last record, which would be the old version. Therefore the current one is published again before.

If signatures are wanted, every version is also signed anew four times within the time for which a
signature vouches for it. The tools are spread over that time by their names.
"""

import time
from datetime import timedelta
from typing import Final, NamedTuple
from zlib import crc32

from aiokafka import TopicPartition

from agents.applier.waiting.free_tools import of_free_tools
from db.postgres.locks import locked_tools
from db.postgres.pool import Pool, acquire
from db.versions.reading import activated_within, current_version, tools
from schemas.settings import Settings
from streams.driver.driver import Driver
from streams.driver.outbox import Outbox, Outgoing
from streams.partitions import partition_of
from streams.topics import Topics

RECENTLY: Final = timedelta(hours=1)
"""A version that became current longer ago than this was published again several times already."""
_SIGNED_WITHIN: Final = 4
"""How often a version is signed within the time for which a signature vouches for it."""


class Turn(NamedTuple):
    """One of the turns in which all versions are signed anew."""

    number: int
    turns: int

    @classmethod
    def at(cls, now_s: float, settings: Settings) -> "Turn":
        """Return the turn of a time; a turn is as long as the time between two republishings."""
        turns = max(1, int(settings.signature_max_age_s / _SIGNED_WITHIN / settings.refresh_s))
        return cls(int(now_s / settings.refresh_s) % turns, turns)

    def is_of(self, tool: str) -> bool:
        """Return whether the version of the tool is signed in this turn."""
        return crc32(tool.encode()) % self.turns == self.number


class RepublishVersions:
    """Publishes the current versions of the tools whose deployments this applier reads."""

    def __init__(
        self, driver: Driver, pool: Pool, outbox: Outbox, partitions: int, settings: Settings
    ) -> None:
        self._driver = driver
        self._pool = pool
        self._outbox = outbox
        self._partitions = partitions
        self._settings = settings
        self._topics = Topics.of(settings)

    async def republish(self) -> int:
        """Publish again what became current in the last hour, and return how many versions.

        If signatures are wanted, publish also what is to be signed anew now. Each is published
        under its tool's lock. Raises Retryable. A tool that somebody else has locked keeps no other
        one waiting: it is published the next time.
        """
        async with acquire(self._pool) as conn:
            chosen = set(await activated_within(conn, RECENTLY))
            if self._settings.signatures != "off":
                turn = Turn.at(time.time(), self._settings)
                chosen |= {tool for tool in await tools(conn) if turn.is_of(tool)}
        return await of_free_tools("republish", sorted(chosen), self._publish_if_ours)

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
