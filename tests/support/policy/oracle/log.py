"""One tool's log, its activations, and the executions that count for each of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from schemas.execution import Activation, Execution
from schemas.later_verdict import LaterVerdict
from schemas.rules.rules import Rules
from tests.support.policy.oracle import whose_failure

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Entry:
    """A record of one tool's log; ``timestamp_ms`` is its Kafka timestamp."""

    offset: int
    timestamp_ms: int
    entry: Execution | Activation | LaterVerdict
    source: tuple[int, int] | None = None
    """The partition and the offset of the record that was forwarded; None for one that was not."""


class CountedExecution(NamedTuple):
    """An execution that counts. Sorted, the oldest is first; at equal times the offset decides."""

    executed_at: datetime
    offset: int
    execution: Execution


def real_activations(log: Sequence[Entry]) -> list[int]:
    """Return the indices of the activations that are newer than all before them."""
    indices: list[int] = []
    largest = 0
    for index, record in enumerate(log):
        if isinstance(record.entry, Activation) and record.entry.activation > largest:
            largest = record.entry.activation
            indices.append(index)
    return indices


def activation_at(log: Sequence[Entry], index: int) -> Activation:
    entry = log[index].entry
    assert isinstance(entry, Activation)
    return entry


def counted_for(log: Sequence[Entry], index: int, end: int, rules: Rules) -> list[CountedExecution]:
    """Return the executions before ``end`` that count for the activation at ``index``."""
    current = log[index].entry
    assert isinstance(current, Activation)
    executions: list[CountedExecution] = []
    for record in log[index + 1 : end]:
        execution = record.entry
        if not isinstance(execution, Execution):
            continue
        if execution.version_id not in (None, current.version_id):
            continue
        if current.activated_by.kind == "rollback" and execution.executed_at < current.activated_at:
            continue
        in_ring = {each.execution.execution_id for each in ring_of(executions, rules)}
        if execution.execution_id not in in_ring and whose_failure.counts(execution, rules):
            executions.append(CountedExecution(execution.executed_at, record.offset, execution))
    return executions


def ring_of(executions: Sequence[CountedExecution], rules: Rules) -> list[CountedExecution]:
    """Return the executions of the ring, the newest first."""
    newest_first = sorted(
        executions, key=lambda each: (each.executed_at, each.offset), reverse=True
    )
    return newest_first[: rules.ring_size]


def counted_once(log: Sequence[Entry]) -> list[Entry]:
    """Return one tool's log without copies of which there is one before.

    All copies from a partition come in its order. So a copy says nothing if there was one of the
    same or of a later record since the first activation.
    """
    kept: list[Entry] = []
    for index, each in enumerate(log):
        indices = real_activations(log[:index])
        before = [other.source for other in log[indices[0] : index]] if indices else []
        if each.source is None or not any(
            other is not None and other[0] == each.source[0] and other[1] >= each.source[1]
            for other in before
        ):
            kept.append(each)
    return kept
