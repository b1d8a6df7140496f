"""The recorder: it writes every execution to Postgres once, and the metrics of its version.

Each batch is one transaction. It writes the executions, what they add to the metrics, which version
is current after the batch, and the partition's next offset (by compare-and-set). A batch that is
read a second time is skipped. Whose failure it is, is stored as the settings of now say it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import structlog
from aiokafka import TopicPartition

from agents.recorder.record_report import RecordReport
from db.executions.recording import LogEntry, next_offset, record
from db.postgres.blockers import naming_blockers
from db.postgres.locks import bounded_transaction
from db.postgres.pool import Connection, Pool, acquire
from schemas.errors import Misconfigured, Rejected
from schemas.execution import Activation
from schemas.execution_entry import ExecutionEntry
from schemas.failures.failure_classes import ErrorOrigin
from schemas.later_verdict import LaterVerdict
from schemas.settings import Settings
from streams.broker_topics.watch import TopicWatch
from streams.crash_points import crash_point
from streams.driver.batch import Batch
from streams.driver.driver import Driver
from streams.partitions import name_of
from streams.records import RecordValidator
from streams.retries import retry_without_limit
from streams.unpacking.batches import first_offset_of
from streams.waits import Waits

log = structlog.get_logger()

_LOCK_WAIT_MS: Final = 1_000
"""How long a batch waits for a lock before it is said who holds it, and the batch begins anew."""


class RecordExecutions:
    """Writes executions and metrics.

    It skips bad records, because the detector reports them, and misplaced ones, because the
    detector forwards them. A copy that comes twice has an id that is stored already.
    """

    def __init__(
        self,
        driver: Driver,
        pool: Pool,
        validator: RecordValidator,
        waits: Waits,
        watch: TopicWatch,
        settings: Settings,
        report: RecordReport,
    ) -> None:
        self._rules_of = settings.rules_of
        self._keep_errors = settings.keep_errors
        self._watch = watch
        self._driver = driver
        self._pool = pool
        self._validator = validator
        self._waits = waits
        self._checked: set[TopicPartition] = set()
        self._report = report

    async def handle(self, batch: Batch) -> None:
        """Write the entries of one partition, and return when Postgres has them."""
        entries: list[LogEntry] = []
        is_misplaced = False
        for portion in batch.portions():
            await asyncio.sleep(0)
            for item in portion:
                try:
                    entry = self._validator.log_entry(item)
                except Rejected:
                    continue
                if entry is None:
                    is_misplaced = True
                else:
                    entries.append(LogEntry(item.offset, entry, self._origin_of(entry)))
        if is_misplaced:
            await self._watch.require_unchanged_lately()
        first, last = batch.first, batch.last
        await self._require_same_topic(batch)

        async def write(conn: Connection) -> int:
            return await record(
                conn,
                last.topic,
                last.partition,
                first.offset,
                last.offset + 1,
                entries,
                self._keep_errors,
            )

        self._report.recorded(entries, await self._in_postgres(write))
        crash_point("recorder.committed")

    def _origin_of(self, entry: ExecutionEntry | Activation | LaterVerdict) -> ErrorOrigin | None:
        """Return whose failure an entry is, by the rules that the detector has; None for others."""
        if not isinstance(entry, ExecutionEntry) or entry.success:
            return None
        return self._rules_of(entry.tool_name).failure_classes.origin_of(entry)

    async def _in_postgres(self, work: Callable[[Connection], Awaitable[int]]) -> int:
        """Return the result of the work, for however long it takes; say who locks what it needs."""
        look = partial(acquire, self._pool)

        async def attempt() -> int:
            async with naming_blockers(look, _LOCK_WAIT_MS), acquire(self._pool) as conn:
                return await work(conn)

        return await retry_without_limit(attempt, self._waits)

    async def _require_same_topic(self, batch: Batch) -> None:
        """Raise Misconfigured if Postgres has an offset beyond the end of the partition.

        Checked once for each partition.
        """
        tp = batch.topic_partition
        if tp in self._checked:
            return

        async def read(conn: Connection) -> int:
            async with bounded_transaction(conn):
                return await next_offset(conn, tp.topic, tp.partition)

        expected = await self._in_postgres(read)
        if not self._driver.owns(batch):
            return
        end = self._driver.end_of(tp)
        if expected > batch.last.offset + 1 and end is not None and expected > end:
            raise Misconfigured(
                f"{name_of(tp)} ends at {end}, but it was recorded to "
                f"{expected}: the topic was created anew; use a new ROLLGUARD_TOPIC_PREFIX or "
                "database"
            )
        if 0 < expected < first_offset_of(batch.first):
            log.error("executions_skipped", partition=name_of(tp), since=expected)
        self._checked.add(tp)
