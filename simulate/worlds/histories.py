"""The history of a tool: its executions by chance, with their times and callers, and its log."""

from collections.abc import Iterator, Sequence
from random import Random
from typing import Final, NamedTuple
from uuid import UUID

from schemas.execution import ActivatedBy, Activation
from schemas.execution_entry import ExecutionEntry
from schemas.fields import time_of
from simulate.worlds.draws import Outcome

INTERVAL_MS: Final = 5_000
"""The average time between two executions of a tool."""
_JITTER: Final = 0.5
"""An interval is shorter or longer than the average by at most this share."""


class Call(NamedTuple):
    """One execution. ``at_ms`` is the time of the execution and of its record."""

    at_ms: int
    outcome: Outcome
    caller: str | None = None


class History(NamedTuple):
    """The calls of one tool: first of its baseline version, then of the version that replaces it.

    Neither is empty.
    """

    tool: str
    baseline: tuple[Call, ...]
    life: tuple[Call, ...]


Entry = ExecutionEntry | Activation


def log_of(history: History) -> Iterator[tuple[int, Entry]]:
    """Yield each entry of the log with its time in milliseconds.

    The baseline version is version 1; the version that replaces it is version 2.
    """
    for number, calls in ((1, history.baseline), (2, history.life)):
        at_ms = calls[0].at_ms
        yield at_ms, activation(history.tool, number, at_ms)
        for index, call in enumerate(calls):
            execution_id = UUID(int=number << 64 | index)
            yield call.at_ms, execution_entry(history.tool, call, execution_id)


def execution_entry(tool: str, call: Call, execution_id: UUID) -> ExecutionEntry:
    """Return the entry of the log for this call."""
    return ExecutionEntry(
        execution_id,
        tool,
        call.outcome is None,
        "",
        error_type=call.outcome,
        caller=call.caller,
        executed_us=call.at_ms * 1_000,
    )


def activation(tool: str, number: int, at_ms: int) -> Activation:
    """Return the activation of the tool's version with this number, by its deployment."""
    return Activation(
        tool_name=tool,
        version_id=number,
        version_number=number,
        code_hash=f"{number:064x}",
        activation=number,
        activated_at=time_of(at_ms * 1_000),
        activated_by=ActivatedBy(kind="deployment", id=UUID(int=number)),
    )


def times_between(begin_ms: int, end_ms: int, random: Random) -> list[int]:
    """Return the times of executions: the first at ``begin_ms``, the others before ``end_ms``."""
    times = [begin_ms]
    while (after_ms := times[-1] + _interval_ms(random)) < end_ms:
        times.append(after_ms)
    return times


def times_until(end_ms: int, number: int, random: Random) -> list[int]:
    """Return the times of ``number`` executions; the last is one interval before ``end_ms``."""
    times = [end_ms - _interval_ms(random)]
    while len(times) < number:
        times.append(times[-1] - _interval_ms(random))
    return times[::-1]


def _interval_ms(random: Random) -> int:
    return int(INTERVAL_MS * random.uniform(1 - _JITTER, 1 + _JITTER))


def outcomes_of(calls: Sequence[Call]) -> list[Outcome]:
    """Return the outcome of each call."""
    return [call.outcome for call in calls]
