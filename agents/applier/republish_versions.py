"""What compaction keeps is written again by its owner, every few minutes.

A worker that stood still ends before it sends (``streams.suspend_watchdog``), but what its machine
had begun to send may still arrive: an old row behind a newer one, an old version behind the current
one. Who reads the whole topic is not misled; compaction would keep the old one alone. What is
written again before compaction comes is the last.
"""

from datetime import timedelta
from itertools import islice
from typing import Any, Final

from faust.types import TP

from db.postgres.locks import tool_lock
from db.postgres.pool import Pool, acquire
from db.versions.reading import activated_within, current_version
from schemas.settings import Settings
from streams.driver.outbox import Outbox, Outgoing
from streams.driver.table import WindowTable
from streams.partitions import partition_of
from streams.topics import Topics

RECENTLY: Final = timedelta(hours=1)
"""Versions that became current before were published again often enough."""
_AT_ONCE: Final = 500


class RepublishRows:
    """The detector's rows, of the partitions that are its own."""

    def __init__(self, app: Any, table: WindowTable, settings: Settings) -> None:
        self._app = app
        self._table = table
        self._topics = Topics.of(settings)

    async def refresh(self) -> int:
        """Write all rows as they are now, some at a time; how many."""
        written = 0
        for partition in range(self._table.partitions or 0):
            keys = iter(list(self._table.rows_of(partition)))
            while self._owns(partition) and (some := list(islice(keys, _AT_ONCE))):
                await self._table.write_again(partition, some)
                written += len(some)
        return written

    def _owns(self, partition: int) -> bool:
        source = TP(self._topics.executions, partition)
        return (
            not self._app.rebalancing
            and not self._app.in_recovery
            and source in self._app.consumer.assignment()
        )


class RepublishVersions:
    """The current versions of the tools whose deployments are the applier's own."""

    def __init__(
        self, app: Any, pool: Pool, outbox: Outbox, partitions: int, settings: Settings
    ) -> None:
        self._app = app
        self._pool = pool
        self._outbox = outbox
        self._partitions = partitions
        self._topics = Topics.of(settings)

    async def refresh(self) -> int:
        """Publish again what became current in the last hour, each under its tool's lock; how many.
        Raises Retryable.
        """
        async with acquire(self._pool) as conn:
            tools = await activated_within(conn, RECENTLY)
        written = 0
        for tool in tools:
            source = TP(self._topics.deployments, partition_of(tool.encode(), self._partitions))
            if source in self._app.consumer.assignment():
                await self._publish(tool)
                written += 1
        return written

    async def _publish(self, tool: str) -> None:
        async with acquire(self._pool) as conn, tool_lock(conn, tool):
            version = await current_version(conn, tool)
            if version is not None:
                await self._outbox.publish([Outgoing.of(self._topics.versions, tool, version)])
