"""From the log of a tool to its row, and to the commands that the log demands.

Read it from the top: ``fold`` takes one record; ``fold_all`` takes many and gives the same
result with less work. Both ask the policy of the tool, which counts the execution into the row
(``policy.state.counting``) and gives the verdict; ``policy.decision.command.decide`` makes
the command of it.
"""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final, NamedTuple

from policy.decision.command import decide
from policy.decision.policies import policy_for
from policy.decision.policy import Policy
from policy.state.counting import belongs_to_activation
from policy.state.log import LogEntry, LogRecord
from policy.state.outage import NO_OUTAGE, OutageTimeline
from policy.state.row import Row
from schemas.execution import Activation, Execution
from schemas.execution_entry import ExecutionEntry
from schemas.later_verdict import LaterVerdict
from schemas.rollback import RollbackCommand
from schemas.rules.rules import Rules


class DecidedCommand(NamedTuple):
    """A command, with the offset and the Kafka timestamp of the record that demanded it."""

    offset: int
    timestamp_ms: int
    command: RollbackCommand


def fold(
    row: Row | None, record: LogRecord, policy: Policy, timeline: OutageTimeline = NO_OUTAGE
) -> tuple[Row | None, RollbackCommand | None]:
    """Return the tool's row after this record, and the command that the record demands.

    A row that has read this offset already stays as it is, so a replay changes nothing. A tool
    that was never activated has no row, and its executions are judged by nobody. ``timeline`` is
    what was known about outages in the partition; policy `seed` ignores it.
    """
    offset, entry = record.offset, record.entry
    if row is not None and offset <= row.read_to:
        return row, None
    if isinstance(entry, Activation):
        row = policy.activate(row, entry, offset, timeline)
        row.read_ms = record.timestamp_ms
        return row, None
    if row is None:
        return None, None
    row.read_ms = record.timestamp_ms
    if isinstance(entry, LaterVerdict):
        grounds = policy.count_verdict(row, record, entry, timeline)
    else:
        grounds = policy.count(row, record, entry, timeline)
    if not grounds:
        return row, None
    return row, decide(row, entry, record.timestamp_ms * 1000, policy, grounds)


_AT_ONCE: Final = 4
"""To count fewer successes at once takes longer than one by one."""


def fold_all(
    row: Row | None,
    log: Sequence[LogRecord],
    policy: Policy,
    timeline: OutageTimeline = NO_OUTAGE,
) -> tuple[Row | None, list[DecidedCommand]]:
    """Do the same as ``fold`` for one record after the other.

    Nearly all executions are successes after which no command can follow: a row of them is counted
    at once.
    """
    if len(log) < _AT_ONCE or not timeline.is_without_outage:
        return _fold_each(row, log, policy, timeline)
    commands: list[DecidedCommand] = []
    done = 0
    while done < len(log):
        executions = _successes_from(row, log, done)
        part = log[done : done + max(len(executions), 1)]
        done += len(part)
        if (
            row is None
            or len(executions) < _AT_ONCE
            or not _count_at_once(row, executions, part, policy, timeline)
        ):
            row, found = _fold_each(row, part, policy, timeline)
            commands += found
    return row, commands


def _fold_each(
    row: Row | None,
    log: Sequence[LogRecord],
    policy: Policy,
    timeline: OutageTimeline = NO_OUTAGE,
) -> tuple[Row | None, list[DecidedCommand]]:
    commands: list[DecidedCommand] = []
    for record in log:
        row, command = fold(row, record, policy, timeline)
        if command is not None:
            commands.append(DecidedCommand(record.offset, record.timestamp_ms, command))
    return row, commands


def _successes_from(row: Row | None, log: Sequence[LogRecord], first: int) -> list[ExecutionEntry]:
    """Return the successes of the current activation that follow each other from ``first`` on."""
    found: list[ExecutionEntry] = []
    if row is None or log[first].offset <= row.read_to:
        return found
    for record in islice(log, first, None):
        entry = record.entry
        if not (
            isinstance(entry, ExecutionEntry)
            and entry.success
            and belongs_to_activation(row, entry)
        ):
            break
        found.append(entry)
    return found


def _count_at_once(
    row: Row,
    executions: Sequence[ExecutionEntry],
    log: Sequence[LogRecord],
    policy: Policy,
    timeline: OutageTimeline,
) -> bool:
    """Count these successes at once, if no command can follow; return whether they were counted.

    ``log`` are their records.
    """
    last = log[-1]
    times_us = [each.executed_us for each in executions]
    if not policy.count_successes(row, executions, times_us, log[0].offset, last.offset, timeline):
        return False
    row.read_ms = last.timestamp_ms
    return True


def commands_of_log(
    log: Iterable[tuple[int, int, Execution | LogEntry]], rules: Rules
) -> list[RollbackCommand]:
    """Return the commands that the log of one tool demands.

    ``log`` has an offset, a Kafka timestamp in milliseconds and an entry for each record.
    """
    records = [LogRecord.of(*each) for each in log]
    _, commands = _fold_each(None, records, policy_for(rules))
    return [each.command for each in commands]
