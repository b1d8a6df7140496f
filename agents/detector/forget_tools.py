"""The removal of the rows of tools that are gone, so that the table does not grow for ever."""

import asyncio
from collections.abc import Mapping
from itertools import islice
from typing import Final

import structlog

from policy.state.outage_watch import KEY
from policy.state.row import decode
from schemas.settings import Settings
from streams.driver.driver import Driver
from streams.driver.table import WindowTable
from streams.topics import Topics

log = structlog.get_logger()

FORGET_EVERY_S: Final = 3_600.0
_AT_ONCE: Final = 200
"""After so many rows the event loop may run, so that executions do not wait."""
_DAY_MS: Final = 86_400_000


class ForgetTools:
    """Removes the rows of tools of which the log has said nothing for ``forget_days``.

    The time is the broker's: that of the newest record of the partition. So no wrong clock, of an
    engine or of this machine, makes the detector forget a tool.
    """

    def __init__(self, driver: Driver, table: WindowTable, settings: Settings) -> None:
        self._driver = driver
        self._table = table
        self._topic = Topics.of(settings).executions
        self._forget_ms = settings.forget_days * _DAY_MS

    async def forget(self) -> int:
        """Remove the rows, and return how many."""
        removed = 0
        if self._forget_ms:
            for partition in range(self._table.partitions or 0):
                removed += await self._forget_in(partition)
        return removed

    async def _forget_in(self, partition: int) -> int:
        rows = self._table.rows_of(partition)
        read_ms: dict[bytes, int] = {}
        for key, row in list(rows.items()):
            if key != KEY:
                read_ms[key] = decode(row).read_ms
            if len(read_ms) % _AT_ONCE == 0:
                await asyncio.sleep(0)
        keys = iter(unused_tools(read_ms, self._forget_ms))
        removed = 0
        while self._driver.has_rows_of(self._topic, partition) and (
            some := set(islice(keys, _AT_ONCE))
        ):
            now = {key: rows[key] for key in some if key in rows}
            unused = {
                key: data for key, data in now.items() if decode(data).read_ms == read_ms[key]
            }
            gone = await self._table.remove(partition, unused)
            names = [key.decode() for key in sorted(gone)[:10]]
            log.info("tools_forgotten", partition=partition, tools=len(gone), first=names)
            removed += len(gone)
        return removed


def unused_tools(read_ms: Mapping[bytes, int], forget_ms: int) -> list[bytes]:
    """Return the keys whose newest record is that much older than the newest of all.

    Of a row that an earlier version of the software has written last, the time is not known (0).
    """
    newest_ms = max(read_ms.values(), default=0)
    return [key for key, at_ms in read_ms.items() if 0 < at_ms < newest_ms - forget_ms]
