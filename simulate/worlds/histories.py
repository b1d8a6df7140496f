"""What a tool does by chance, with the time and the caller of each execution, and its log. Pure."""

from collections.abc import Iterator, Sequence
from random import Random
from typing import Final, NamedTuple
from uuid import UUID

from schemas.execution import ActivatedBy, Activation
from schemas.execution_entry import ExecutionEntry
from schemas.fields import time_of
from simulate.worlds.draws import Outcome

INTERVAL_MS: Final = 5_000
"""Between two executions of a tool, on average."""
_JITTER: Final = 0.5
"""By which share of that an interval is shorter or longer at most."""


class Call(NamedTuple):
    """One execution; the time is of the execution and of its record."""

    at_ms: int
    outcome: Outcome
    caller: str | None = None


class History(NamedTuple):
    """One tool: its target's calls, then those of the version that replaces it. Neither is
    empty.
    """

    tool: str
    target: tuple[Call, ...]
    life: tuple[Call, ...]


Entry = ExecutionEntry | Activation


def log_of(history: History) -> Iterator[tuple[int, Entry]]:
    """Each entry with its time; the target is version 1, and what replaces it version 2."""
    for number, calls in ((1, history.target), (2, history.life)):
        at_ms = calls[0].at_ms
        yield at_ms, activation(history.tool, number, at_ms)
        for place, call in enumerate(calls):
            run_id = UUID(int=number << 64 | place)
            yield call.at_ms, run(history.tool, call, run_id)


def run(tool: str, call: Call, execution_id: UUID) -> ExecutionEntry:
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
    """Of the tool's version of this number, by its deployment."""
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
    """An execution at the beginning, the others behind it up to the end."""
    times = [begin_ms]
    while (after_ms := times[-1] + _interval_ms(random)) < end_ms:
        times.append(after_ms)
    return times


def times_until(end_ms: int, number: int, random: Random) -> list[int]:
    """So many; the last one is an interval before the end."""
    times = [end_ms - _interval_ms(random)]
    while len(times) < number:
        times.append(times[-1] - _interval_ms(random))
    return times[::-1]


def _interval_ms(random: Random) -> int:
    return int(INTERVAL_MS * random.uniform(1 - _JITTER, 1 + _JITTER))


def outcomes_of(calls: Sequence[Call]) -> list[Outcome]:
    return [call.outcome for call in calls]
