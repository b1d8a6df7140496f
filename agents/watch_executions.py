"""The detector: fold every execution into its tool's row, command a rollback when a rule holds.

Order within a batch: fold all, send the commands and wait for the broker's acknowledgement, write
each touched row once; the offset is committed after the changelog is flushed. A crash in between
replays the batch: rows skip what they have read, a command that is sent again has the same id.
"""

import time
from typing import Any

import structlog

from agents.fold import fold
from schemas.errors import Misconfigured, Rejected
from schemas.rollback import RollbackCommand
from schemas.run import Run
from schemas.settings import Settings
from streams.batches import Batch
from streams.outbox import Outbox, Outgoing
from streams.records import Guard, dead_letter
from streams.steps import reached
from streams.table import WindowTable
from streams.topics import Topics
from streams.windows import Row

log = structlog.get_logger()

ROLE = "detector"


class WatchExecutions:
    """Folds each execution into its tool's windows and commands a rollback where a rule holds."""

    def __init__(
        self, app: Any, table: WindowTable, outbox: Outbox, guard: Guard, settings: Settings
    ) -> None:
        self._app = app
        self._table = table
        self._outbox = outbox
        self._guard = guard
        self._settings = settings
        self._topics = Topics.of(settings)

    async def handle(self, batch: Batch) -> None:
        """Judge the records of one partition."""
        partition = batch.place.partition
        known = self._table.rows_of(partition)
        log_entry, rules_of = self._guard.log_entry, self._settings.rules_of
        rows: dict[bytes, Row | None] = {}
        out: list[Outgoing] = []
        commands: list[tuple[RollbackCommand, int]] = []
        unknown = 0
        for record in batch.records:
            key: bytes = record.key
            try:
                entry = log_entry(record, known)
            except Rejected as error:
                letter = dead_letter(ROLE, record, error)
                out.append(Outgoing.letter(self._topics.dead_letters, key, letter))
                log.warning("dead_letter", offset=record.offset, error=letter.error[:300])
                continue
            row = rows[key] if key in rows else self._row_of(key, batch)
            rules = rules_of(entry.tool_name)
            rows[key], command = fold(row, record.offset, record.timestamp, entry, rules)
            if row is None and isinstance(entry, Run):
                unknown += 1
            if command is not None:
                out.append(Outgoing.of(self._topics.commands, entry.tool_name, command))
                commands.append((command, record.timestamp))
        reached("detector.folded")
        await self._outbox.publish(out)
        reached("detector.commanded")
        for command, decided_ms in commands:
            _log_command(command, decided_ms)
        if unknown:
            log.info("executions_of_unknown_tools", executions=unknown)
        if self._app.consumer.owns(batch):
            changed = {key: row for key, row in rows.items() if row is not None}
            await self._table.write(partition, changed)
        else:  # its owner folds the same records, and may have read further
            log.warning("batch_lost", partition=partition)
        reached("detector.rows_written")

    def _row_of(self, key: bytes, batch: Batch) -> Row | None:
        row = self._table.row(batch.place.partition, key)
        if row is not None and row.read_to > batch.last.offset:
            end = self._app.consumer.highwater(batch.place)
            if end is not None and row.read_to >= end:
                raise Misconfigured(
                    f"{batch.place.topic}[{batch.place.partition}] ends at {end}, but the table "
                    f"has read it to {row.read_to}: the topic was made anew; use a new "
                    "ROLLGUARD_TOPIC_PREFIX"
                )
        return row


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
