"""The republishing of the detector's rows before compaction.

A worker that stood still ends before it sends (``streams.suspend_watchdog``). But a request that
its machine had begun to send may still arrive, so that an old row follows a newer one. A detector
that reads the whole changelog ignores the old row, because it has read less. But compaction keeps
the last record, which would be the old row. Therefore the newer one is written again before.
"""

from itertools import islice
from typing import Final

from schemas.settings import Settings
from streams.driver.driver import Driver
from streams.driver.table import WindowTable
from streams.topics import Topics

_MAX_ROWS: Final = 500
"""How many rows are written before the ownership of the partition is checked again."""


class RepublishRows:
    """Writes the rows of this detector's own partitions to the changelog again."""

    def __init__(self, driver: Driver, table: WindowTable, settings: Settings) -> None:
        self._driver = driver
        self._table = table
        self._topic = Topics.of(settings).executions

    async def republish(self) -> int:
        """Write all rows as they are now, and return how many."""
        written = 0
        for partition in range(self._table.partitions or 0):
            keys = iter(list(self._table.rows_of(partition)))
            while self._driver.has_rows_of(self._topic, partition) and (
                some := list(islice(keys, _MAX_ROWS))
            ):
                await self._table.write_again(partition, some)
                written += len(some)
        return written
