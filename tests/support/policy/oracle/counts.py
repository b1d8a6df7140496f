"""Counts of executions in windows, and of the baseline of an activation."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from fractions import Fraction
from typing import NamedTuple, Protocol, TypeVar

from schemas.execution import Activation
from schemas.rules.rules import Rules
from tests.support.policy.oracle.log import (
    EPOCH,
    CountedExecution,
    Entry,
    counted_for,
    real_activations,
    ring_of,
)


class Counts(NamedTuple):
    executions: int
    failures: int

    @property
    def success_rate(self) -> Fraction:
        return Fraction(self.executions - self.failures, self.executions)


class _Counted(Protocol):
    @property
    def executions(self) -> int: ...


C = TypeVar("C", bound=_Counted)


def counts_of(executions: Sequence[CountedExecution]) -> Counts:
    return Counts(len(executions), sum(not each.execution.success for each in executions))


def recent_of(executions: Sequence[CountedExecution], rules: Rules) -> list[CountedExecution]:
    ring = ring_of(executions, rules)
    now = ring[0].executed_at
    return [
        each for each in ring if each.executed_at >= now - timedelta(seconds=rules.recent_window_s)
    ]


def in_window(executions: Sequence[CountedExecution], window_s: int, bucket_s: int) -> Counts:
    """Count the executions in the buckets that count at the 'now' of these executions."""
    if not executions:
        return Counts(0, 0)
    now = max(execution.executed_at for execution in executions)
    size = timedelta(seconds=bucket_s)

    def counts(execution: CountedExecution) -> bool:
        bucket = EPOCH + (execution.executed_at - EPOCH) // size * size
        return bucket + size > now - timedelta(seconds=window_s)

    return counts_of([execution for execution in executions if counts(execution)])


def in_standard_window(executions: Sequence[CountedExecution], rules: Rules) -> Counts:
    return in_window(executions, rules.standard_window_s, rules.standard_bucket_s)


def baseline_of(
    log: Sequence[Entry], index: int, rules: Rules, count: Callable[[Sequence[CountedExecution]], C]
) -> C | None:
    """Return the baseline of the activation at ``index``, as ``count`` counts executions."""
    activations = real_activations(log[: index + 1])
    current = log[index].entry
    assert isinstance(current, Activation)
    replaced: dict[int, int] = {}
    """By version id: the index in ``activations`` of its activation that was replaced last."""
    for number, replaced_at in enumerate(activations[:-1]):
        activation = log[replaced_at].entry
        assert isinstance(activation, Activation)
        replaced[activation.version_id] = number
    if current.activated_by.kind == "deployment":
        if len(activations) == 1:
            return None
        number = len(activations) - 2
    else:
        remembered = sorted(replaced.values())[-rules.remembered_versions :]
        number = replaced.get(current.version_id, -1)
        if number not in remembered:
            return None
    start, end = activations[number], activations[number + 1]
    counts = count(counted_for(log, start, end, rules))
    if counts.executions >= rules.baseline_executions:
        return counts
    return baseline_of(log, start, rules, count)
