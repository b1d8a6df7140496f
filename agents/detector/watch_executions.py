"""The detector: fold every execution into its tool's row, command a rollback when a rule holds.

Order within a batch: fold all, send the commands and wait for the broker's acknowledgement, write
each touched row once; the offset is committed after the changelog is flushed. A crash in between
replays the batch: rows skip what they have read, a command that is sent again has the same id.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from operator import itemgetter
from typing import Any

import structlog

from agents.detector.outage_report import OutageReport
from policy.decision.fold import DecidedCommand, fold_all
from policy.decision.policies import Policies
from policy.state.log import LogRecord
from policy.state.outage import NO_OUTAGE, OutageTimeline
from policy.state.outage_watch import KEY, OutageWatch, decode_watch, encode_watch
from policy.state.row import Row, decode, encode
from schemas.errors import Misconfigured, Rejected
from schemas.execution_entry import ExecutionEntry
from schemas.rollback import RollbackCommand
from schemas.settings import Settings
from streams.crash_points import crash_point
from streams.driver.batches import Batch
from streams.driver.outbox import Outbox, Outgoing
from streams.driver.table import WindowTable
from streams.records import RecordValidator, dead_letter_of
from streams.topics import Topics

log = structlog.get_logger()

ROLE = "detector"


class WatchExecutions:
    """Folds each execution into its tool's windows and commands a rollback where a rule holds."""

    def __init__(
        self,
        app: Any,
        table: WindowTable,
        outbox: Outbox,
        validator: RecordValidator,
        settings: Settings,
        outages: OutageReport,
    ) -> None:
        self._app = app
        self._table = table
        self._outbox = outbox
        self._validator = validator
        self._settings = settings
        self._policies = Policies(settings.rules_of)
        self._outages = outages
        self._topics = Topics.of(settings)

    async def handle(self, batch: Batch) -> None:
        """Judge the records of one partition."""
        partition = batch.place.partition
        read, dead_letters = self._read(batch)
        timeline, watched = self._follow(partition, read)
        rows, commands = self._fold(batch, _by_tool(read), timeline)
        crash_point("detector.folded")
        topic = self._topics.commands
        sent = [Outgoing.of(topic, command.tool_name, command) for _, _, command in commands]
        await self._outbox.publish(dead_letters + sent)
        crash_point("detector.commanded")
        for _, decided_ms, command in commands:
            _log_command(command, decided_ms)
        if self._app.consumer.owns(batch):
            # What is known of outages comes last: where it is found, the rows before it are too.
            await self._table.write(partition, rows + watched)
        else:  # its owner folds the same records, and may have read further
            log.warning("batch_lost", partition=partition)
        crash_point("detector.rows_written")

    def _read(self, batch: Batch) -> tuple[list[LogRecord], list[Outgoing]]:
        """The log of the partition, and the dead letters of what is no entry."""
        known, log_entry = self._table.rows_of(batch.place.partition), self._validator.log_entry
        read: list[LogRecord] = []
        dead_letters = []
        for record in batch.records:
            try:
                entry = log_entry(record, known)
            except Rejected as error:
                dead_letter = dead_letter_of(ROLE, record, error)
                dead_letters.append(
                    Outgoing.dead_letter(self._topics.dead_letters, record.key, dead_letter)
                )
                log.warning("dead_letter", offset=record.offset, error=dead_letter.error[:300])
                continue
            read.append(LogRecord(record.key, record.offset, record.timestamp, entry))
        return read, dead_letters

    def _follow(
        self, partition: int, read: Sequence[LogRecord]
    ) -> tuple[OutageTimeline, list[tuple[bytes, bytes]]]:
        """What was known of outages at each of these records, and the row of what is known behind
        them; none where no tool's policy asks.
        """
        if not (read and self._settings.is_guarded_anywhere):
            return NO_OUTAGE, []
        data = self._table.rows_of(partition).get(KEY)
        watch = OutageWatch() if data is None else decode_watch(data)
        timeline = watch.follow(read, self._settings.outages)
        self._outages.note(partition, watch, timeline)
        return timeline, [(KEY, encode_watch(watch))]

    def _fold(
        self, batch: Batch, logs: Mapping[bytes, Sequence[LogRecord]], timeline: OutageTimeline
    ) -> tuple[list[tuple[bytes, bytes]], list[DecidedCommand]]:
        """The row of each tool behind its log, by its key, and the commands in the order of the
        log.

        Each row is decoded, folded and encoded before the next: all of a batch at once would not
        stay in the processor's caches, and with many tools that costs more than the rest.
        """
        known, last = self._table.rows_of(batch.place.partition), batch.last.offset
        rows: list[tuple[bytes, bytes]] = []
        commands: list[DecidedCommand] = []
        unknown = 0
        for key, tool_log in logs.items():
            data = known.get(key)
            row = None if data is None else decode(data)
            if row is None:
                unknown += sum(1 for _ in takewhile(_is_execution, tool_log))
            elif row.read_to > last:
                self._require_same_topic(batch, row)
            policy = self._policies.of(tool_log[0].entry.tool_name)
            row, found = fold_all(row, tool_log, policy, timeline)
            commands += found
            if row is not None:
                rows.append((key, encode(row)))
        if unknown:
            log.info("executions_of_unknown_tools", executions=unknown)
        return rows, sorted(commands, key=itemgetter(0))

    def _require_same_topic(self, batch: Batch, row: Row) -> None:
        """Of a row that has read further than the batch."""
        end = self._app.consumer.highwater(batch.place)
        if end is not None and row.read_to >= end:
            raise Misconfigured(
                f"{batch.place.topic}[{batch.place.partition}] ends at {end}, but the table "
                f"has read it to {row.read_to}: the topic was made anew; use a new "
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


def _log_command(command: RollbackCommand, decided_ms: int) -> None:
    log.info(
        "rollback_commanded",
        tool=command.tool_name,
        from_version=command.from_version_id,
        activation=command.from_activation,
        tier=command.tier,
        reason=command.reason,
        executions=command.details["executions"],
        failures=command.details["failures"],
        command=str(command.command_id),
        latency_ms=round(time.time() * 1000 - decided_ms, 1),
    )
