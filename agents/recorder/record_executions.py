"""The recorder: every execution into Postgres once, and the metrics of its version with it.

One transaction for a batch: the rows, what they add to the metrics, which version is current at
this place of the log, and the partition's next offset by compare-and-set. A replay is skipped.
"""

from typing import Any

import structlog
from faust.types import TP

from db.executions.recording import LogEntry, next_offset, record
from db.postgres.pool import Pool, acquire
from schemas.errors import Misconfigured, Rejected
from streams.crash_points import crash_point
from streams.driver.batches import Batch
from streams.records import RecordValidator
from streams.retries import patiently
from streams.waits import Waits

log = structlog.get_logger()

ROLE = "recorder"


class RecordExecutions:
    """Writes executions and metrics. Bad records are passed over: the detector reports them."""

    def __init__(self, app: Any, pool: Pool, validator: RecordValidator, waits: Waits) -> None:
        self._app = app
        self._pool = pool
        self._validator = validator
        self._waits = waits
        self._checked: set[TP] = set()

    async def handle(self, batch: Batch) -> None:
        """Record the entries of one partition."""
        entries: list[LogEntry] = []
        for item in batch.records:
            try:
                entries.append(LogEntry(item.offset, self._validator.log_entry(item)))
            except Rejected:
                continue
        first, last = batch.first, batch.last
        await self._require_same_topic(batch)

        async def write() -> int:
            async with acquire(self._pool) as conn:
                return await record(
                    conn, last.topic, last.partition, first.offset, last.offset + 1, entries
                )

        await patiently(write, self._waits)
        crash_point("recorder.committed")

    async def _require_same_topic(self, batch: Batch) -> None:
        """Misconfigured where Postgres has read further than the log reaches."""
        place = batch.place
        if place in self._checked:
            return

        async def read() -> int:
            async with acquire(self._pool) as conn:
                return await next_offset(conn, place.topic, place.partition)

        expected = await patiently(read, self._waits)
        if not self._app.consumer.owns(batch):
            return
        end = self._app.consumer.highwater(place)
        if expected > batch.last.offset + 1 and end is not None and expected > end:
            raise Misconfigured(
                f"{place.topic}[{place.partition}] ends at {end}, but it was recorded to "
                f"{expected}: the topic was made anew; use a new ROLLGUARD_TOPIC_PREFIX or database"
            )
        if 0 < expected < batch.first.offset:
            log.error("executions_skipped", partition=str(place), since=expected)
        self._checked.add(place)
