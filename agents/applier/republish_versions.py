"""Republishing before compaction: every few minutes the owner writes again what compaction keeps.

A worker that was suspended ends before it sends anything (``streams.suspend_watchdog``). But what
its machine had already begun to send may still arrive: an old row after a newer one, an old version
after the current one. Whoever reads the whole topic is not misled, but compaction would keep only
the old one. A row or version that is written again before the compaction is the last one.
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
"""A version that became current earlier was published again often enough."""
_AT_ONCE: Final = 500


class RepublishRows:
    """Republishes the rows of the detector in the partitions that it owns."""

    def __init__(self, app: Any, table: WindowTable, settings: Settings) -> None:
        self._app = app
        self._table = table
        self._topics = Topics.of(settings)

    async def refresh(self) -> int:
        """Write all rows as they are now, in small portions; return how many."""
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
    """Republishes the current versions of the tools whose deployments this applier reads."""

    def __init__(
        self, app: Any, pool: Pool, outbox: Outbox, partitions: int, settings: Settings
    ) -> None:
        self._app = app
        self._pool = pool
        self._outbox = outbox
        self._partitions = partitions
        self._topics = Topics.of(settings)

    async def refresh(self) -> int:
        """Publish again the versions that became current in the last hour; return how many.

        Each is published under the lock of its tool. Raises Retryable.
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
