"""The detector: it folds every execution into its tool's row, and commands rollbacks.

The order within a batch: forward misplaced records and wait for the broker's acknowledgement, fold
all others, send the commands and wait again, write each changed row once. The offset is committed
after the changelog is flushed. After a crash in between, the batch is read again: a row skips the
records that it has read and the copies that it has had, and a command that is sent again has the
same id.
"""

import time
from collections.abc import Iterable, Iterator
from itertools import takewhile
from operator import itemgetter

import structlog

from agents.dead_letters.box import DeadLetterBox
from agents.detector.decision_report import DecisionReport
from agents.detector.forward_executions import ForwardExecutions
from agents.detector.read_log import ReadBatch, ReadLog
from agents.detector.recent_errors import RecentErrors
from agents.detector.trace_commands import TraceCommands
from policy.decision.fold import DecidedCommand, fold_all
from policy.decision.policies import Policies
from policy.decision.policy import Policy
from policy.state.forwarding import of_known_tool
from policy.state.log import LogRecord
from policy.state.outage import NO_OUTAGE, OutageTimeline, changes_of
from policy.state.outage_watch import KEY, OutageWatch, decode_watch, encode_watch
from policy.state.row import Row, decode, encode, forwarded_of, known_since
from schemas.errors import Misconfigured
from schemas.execution_entry import ExecutionEntry
from schemas.fields import time_of
from schemas.outage_notice import OutageNotice
from schemas.settings import Settings
from streams.crash_points import crash_point
from streams.driver.batch import Batch
from streams.driver.driver import Driver
from streams.driver.outbox import Outbox, Outgoing
from streams.driver.table import WindowTable
from streams.partitions import name_of
from streams.topics import Topics

log = structlog.get_logger()

ROLE = "detector"


class WatchExecutions:
    """Folds each execution into its tool's row, and commands a rollback if a rule holds."""

    def __init__(
        self,
        driver: Driver,
        table: WindowTable,
        outbox: Outbox,
        dead_letters: DeadLetterBox,
        log_reader: ReadLog,
        forwarding: ForwardExecutions,
        settings: Settings,
        report: DecisionReport,
        traces: TraceCommands,
    ) -> None:
        self._traces = traces
        self._driver = driver
        self._log = log_reader
        self._forwarding = forwarding
        self._table = table
        self._outbox = outbox
        self._dead_letters = dead_letters
        self._settings = settings
        self._policies = Policies(settings.rules_of)
        self._report = report
        self._topics = Topics.of(settings)
        self._errors = RecentErrors(settings.keep_errors)

    async def handle(self, batch: Batch) -> None:
        """Judge the records of one partition."""
        partition = batch.topic_partition.partition
        read = await self._log.read(batch)
        records = read.records
        refused = await self._forwarding.forward(read.misplaced)
        crash_point("detector.forwarded")
        bad = sorted(read.bad + refused, key=lambda each: each.record.offset)
        dead_letters = self._dead_letters.draft(bad)
        timeline, outage_rows = self._follow_outages(partition, read)
        rows, decided = self._fold(batch, read, timeline)
        crash_point("detector.folded")
        topic = self._topics.commands
        self._errors.note(records)
        traced, began_ns = self._traces.of(decided, batch.records), time.time_ns()
        commands = [
            Outgoing.of(
                topic,
                command.tool_name,
                command,
                self._errors.header(command.details) + sending.headers,
            )
            for command, _, _, sending in traced
        ]
        await self._outbox.publish(dead_letters.outgoing + commands)
        acknowledged_s = time.time()
        self._traces.sent(traced, began_ns)
        await self._publish_outages(partition, timeline)
        self._dead_letters.settle(dead_letters)
        crash_point("detector.commanded")
        if decided:
            self._report.commanded(decided, self._policies, acknowledged_s)
        if self._driver.owns(batch):
            # The row of outages is written last: if it was stored, so were the rows before it.
            await self._table.write(partition, rows + outage_rows)
        else:  # the partition's owner folds the same records, and may have read further
            log.warning("partition_lost", partition=partition)
        crash_point("detector.rows_written")

    def _follow_outages(
        self, partition: int, read: ReadBatch
    ) -> tuple[OutageTimeline, list[tuple[bytes, bytes]]]:
        """Return the outage timeline of the records, and the row of outages after them.

        There is no row if no tool has policy `guarded`.
        """
        records = read.records
        if not (records and self._settings.is_guarded_anywhere):
            return NO_OUTAGE, []
        rows = self._table.rows_of(partition)
        data = rows.get(KEY)
        watch = OutageWatch() if data is None else decode_watch(data)
        followed_to = watch.read_to
        timeline = watch.follow(
            watch.without_repetitions(records) if read.has_copies else records,
            self._settings.outages,
            lambda key: known_since(rows.get(key), followed_to),
            self._policies.origin_of,
        )
        self._report.outages.note(partition, watch, timeline)
        return timeline, [(KEY, encode_watch(watch))]

    async def _publish_outages(self, partition: int, timeline: OutageTimeline) -> None:
        """Publish which outages began or ended within a batch.

        The topic is newer than the others. A detector that has no right to write to it must judge
        all the same.
        """
        notices = list(self._notices(partition, timeline))
        if not await self._outbox.publish_if_permitted(notices):
            log.error("outage_not_published", partition=partition)

    def _notices(self, partition: int, timeline: OutageTimeline) -> Iterator[Outgoing]:
        for outage in changes_of(timeline):
            over_at = None if outage.end_ms is None else time_of(outage.end_ms * 1_000)
            notice = OutageNotice(
                outage_partition=partition,
                began_at=time_of(outage.begin_ms * 1_000),
                over_at=over_at,
            )
            yield Outgoing(self._topics.outages, notice.key, notice.to_bytes())

    def _fold(
        self, batch: Batch, read: ReadBatch, timeline: OutageTimeline
    ) -> tuple[list[tuple[bytes, bytes]], list[DecidedCommand]]:
        """Return each tool's row after its log, and the commands in the order of the log.

        Each row is decoded, folded and encoded before the next one, because all decoded rows of a
        batch do not fit into the processor's caches. With many tools that would cost the most time.
        """
        known, last = self._table.rows_of(batch.topic_partition.partition), batch.last.offset
        rows: list[tuple[bytes, bytes]] = []
        decided: list[DecidedCommand] = []
        judged: dict[Policy, int] = {}
        busiest = self._report.busiest
        unknown = 0
        for key, tool_log in _by_tool(read.records).items():
            data = known.get(key)
            row = None if data is None else decode(data)
            forwarded = {} if data is None else forwarded_of(data)
            policy = self._policies.of(tool_log[0].entry.tool_name)
            new = tool_log
            if read.has_copies:
                new = of_known_tool(tool_log, forwarded, None if row is None else row.read_to)
            judged[policy] = judged.get(policy, 0) + len(new)
            if row is None:
                not_judged = sum(1 for _ in takewhile(_is_execution, new))
                unknown += not_judged
                judged[policy] -= not_judged
            elif row.read_to > last:
                self._require_same_topic(batch, row)
            row, commands = fold_all(row, new, policy, timeline)
            decided += commands
            if row is not None:
                rows.append((key, encode(row, forwarded)))
                if busiest is not None and new:
                    busiest.note(new)
        self._report.judged(judged, unknown)
        return rows, sorted(decided, key=itemgetter(0))

    def _require_same_topic(self, batch: Batch, row: Row) -> None:
        """Raise Misconfigured if a row has read beyond the end of the topic."""
        end = self._driver.end_of(batch.topic_partition)
        if end is not None and row.read_to >= end:
            raise Misconfigured(
                f"{name_of(batch.topic_partition)} ends at {end}, but the table "
                f"has read it to {row.read_to}: the topic was created anew; use a new "
                "ROLLGUARD_TOPIC_PREFIX"
            )


def _by_tool(log: Iterable[LogRecord]) -> dict[bytes, list[LogRecord]]:
    """Return the log of each tool, by the key of its records."""
    logs: dict[bytes, list[LogRecord]] = {}
    for record in log:
        tool_log = logs.get(key := record.key)
        if tool_log is None:
            logs[key] = [record]
        else:
            tool_log.append(record)
    return logs


def _is_execution(record: LogRecord) -> bool:
    return isinstance(record.entry, ExecutionEntry)
