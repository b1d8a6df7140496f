"""The reports of engines: the recorder keeps the newest of each engine and tool in Postgres."""

import asyncio
from datetime import timedelta
from functools import partial
from typing import Final

from agents.dead_letters.box import BadRecord, DeadLetterBox
from db.engines.listing import forget_silent
from db.engines.reports import ReceivedReport, store_reports
from db.postgres.blockers import naming_blockers
from db.postgres.pool import Pool, acquire
from schemas.errors import Rejected
from schemas.fields import time_of
from schemas.settings import Settings
from streams.driver.batch import Batch
from streams.driver.outbox import Outbox
from streams.records import Record, RecordValidator
from streams.retries import retry_without_limit
from streams.waits import Waits

FORGET_EVERY_S: Final = timedelta(minutes=5).total_seconds()
_LOCK_WAIT_MS: Final = 1_000
"""How long a batch waits for a lock before it is said who holds it, and the batch begins anew."""


class KeepReports:
    """Keeps the newest report of each engine and tool.

    Nobody signs reports, and they decide nothing. To store one again changes nothing, so a batch
    that is read again does no harm.
    """

    def __init__(
        self,
        pool: Pool,
        outbox: Outbox,
        dead_letters: DeadLetterBox,
        validator: RecordValidator,
        waits: Waits,
        settings: Settings,
    ) -> None:
        self._pool = pool
        self._outbox = outbox
        self._dead_letters = dead_letters
        self._validator = validator
        self._waits = waits
        self._keep_errors = settings.keep_errors
        self._silent_s = settings.engine_silent_s

    async def handle(self, batch: Batch) -> None:
        """Store the reports of one partition, and return when Postgres has them."""
        received: list[ReceivedReport] = []
        records: list[Record] = []
        bad: list[BadRecord] = []
        for portion in batch.portions():
            await asyncio.sleep(0)
            for item in portion:
                try:
                    said = self._validator.engine_report(item)
                except Rejected as error:
                    bad.append(BadRecord.of(item, error))
                else:
                    received.append(ReceivedReport(said, time_of(item.timestamp * 1000)))
                    records.append(item)
        unknown = await retry_without_limit(lambda: self._store(received), self._waits)
        bad += [
            BadRecord(records[index], "the tool has no version with this id", "unknown_version")
            for index in unknown
        ]
        drafted = self._dead_letters.draft(sorted(bad, key=lambda each: each.record.offset))
        await self._outbox.publish(drafted.outgoing)
        self._dead_letters.settle(drafted)

    async def _store(self, received: list[ReceivedReport]) -> set[int]:
        if not received:
            return set()
        look = partial(acquire, self._pool)
        async with naming_blockers(look, _LOCK_WAIT_MS), acquire(self._pool) as conn:
            return await store_reports(conn, received, self._keep_errors)

    async def forget(self) -> int:
        """Remove the engines of which nothing was heard for ``engine_silent_s`` seconds."""
        async with acquire(self._pool) as conn:
            return await forget_silent(conn, self._silent_s)
