"""A tool's log: what becomes of the row, and what is commanded. Pure."""

from collections.abc import Iterable, Sequence
from typing import Final

from policy.decision.guarded import add_run, add_successes
from policy.decision.threshold_rules import cannot_trigger, decide
from policy.state.outages import NO_OUTAGE, OutageTimeline
from policy.state.row import Row, activate, count, count_successes, is_of_current
from schemas.execution import Activation, Execution
from schemas.execution_entry import ExecutionEntry
from schemas.rollback import RollbackCommand
from schemas.rules import Rules


def fold(
    row: Row | None,
    offset: int,
    timestamp_ms: int,
    entry: ExecutionEntry | Activation,
    rules: Rules,
    timeline: OutageTimeline = NO_OUTAGE,
) -> tuple[Row | None, RollbackCommand | None]:
    """The row of the entry's tool behind this entry, and the command that it demands.

    A row that has read this offset already stays as it is: a replay changes nothing. Executions of
    a tool that was never activated have no row and are judged by nobody. ``timeline`` is what was
    known of outages in the partition; policy `seed` does not ask.
    """
    if row is not None and offset <= row.read_to:
        return row, None
    if rules.policy == "guarded":
        return _fold_guarded(row, offset, timestamp_ms, entry, rules, timeline)
    if not isinstance(entry, ExecutionEntry):
        return activate(row, entry, offset, rules), None
    if row is None or not count(row, entry, offset, rules):
        return row, None
    return row, decide(row, entry.tool_name, timestamp_ms * 1000, rules)


def _fold_guarded(
    row: Row | None,
    offset: int,
    timestamp_ms: int,
    entry: ExecutionEntry | Activation,
    rules: Rules,
    timeline: OutageTimeline,
) -> tuple[Row | None, RollbackCommand | None]:
    outages = timeline.spans_at(offset)
    if not isinstance(entry, ExecutionEntry):
        if row is not None and row.tool_evidence is not None:
            row.tool_evidence.settle(outages)
        return activate(row, entry, offset, rules), None
    if row is None or not count(row, entry, offset, rules):
        return row, None
    if not add_run(row, entry, timestamp_ms, outages, rules) or offset in timeline.deferred:
        return row, None
    return row, decide(row, entry.tool_name, timestamp_ms * 1000, rules)


Numbered = tuple[int, int, ExecutionEntry | Activation]
"""An entry with its offset and its Kafka timestamp in milliseconds."""
Decided = tuple[int, int, RollbackCommand]
"""A command with the offset and the timestamp of the entry that demanded it."""

_AT_ONCE: Final = 4
"""Fewer successes are counted one by one in less time."""


def fold_all(
    row: Row | None, log: Sequence[Numbered], rules: Rules, timeline: OutageTimeline = NO_OUTAGE
) -> tuple[Row | None, list[Decided]]:
    """As :func:`fold` for one entry after the other.

    Nearly all executions are successes that no rule minds: those are counted at once.
    """
    if len(log) < _AT_ONCE or not timeline.is_without_outage:
        return _fold_each(row, log, rules, timeline)
    commands: list[Decided] = []
    done = 0
    while done < len(log):
        begun, done = done, _end_of_part(row, log, done)
        part = log[begun:done]
        if row is None or len(part) < _AT_ONCE or not _count_silently(row, part, rules, timeline):
            row, found = _fold_each(row, part, rules, timeline)
            commands += found
    return row, commands


def _fold_each(
    row: Row | None, log: Sequence[Numbered], rules: Rules, timeline: OutageTimeline = NO_OUTAGE
) -> tuple[Row | None, list[Decided]]:
    commands: list[Decided] = []
    for offset, timestamp_ms, entry in log:
        row, command = fold(row, offset, timestamp_ms, entry, rules, timeline)
        if command is not None:
            commands.append((offset, timestamp_ms, command))
    return row, commands


def _end_of_part(row: Row | None, log: Sequence[Numbered], begin: int) -> int:
    """Behind the last of the successes that begin here, and count; else behind one entry."""
    if row is None or log[begin][0] <= row.read_to:
        return begin + 1
    for place in range(begin, len(log)):
        entry = log[place][2]
        if not (isinstance(entry, ExecutionEntry) and entry.success and is_of_current(row, entry)):
            return max(place, begin + 1)
    return len(log)


def _count_silently(
    row: Row, log: Sequence[Numbered], rules: Rules, timeline: OutageTimeline
) -> bool:
    """Count these successes, if none of them can condemn; whether it was done."""
    runs = [entry for _, _, entry in log if isinstance(entry, ExecutionEntry)]  # all are
    now_us = max(run.executed_us for run in runs)
    if not (cannot_trigger(row, now_us, rules) and count_successes(row, runs, log[-1][0], rules)):
        return False
    if rules.policy == "guarded":
        add_successes(row, runs, timeline.spans_at(log[0][0]), rules)
    return True


def commands_of_log(
    log: Iterable[tuple[int, int, Execution | Activation]], rules: Rules
) -> list[RollbackCommand]:
    """The commands that one tool's log of (offset, Kafka timestamp in ms, entry) demands."""
    read = [
        (offset, timestamp_ms, ExecutionEntry.of(entry) if isinstance(entry, Execution) else entry)
        for offset, timestamp_ms, entry in log
    ]
    _, commands = _fold_each(None, read, rules)
    return [command for _, _, command in commands]
