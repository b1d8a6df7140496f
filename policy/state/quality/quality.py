"""The quality of a tool's executions that succeed, for the quality tests of policy `guarded`.

How it is weighed: ``policy/weighing/quality_tests.py``. Why so:
``docs/decisions/0027-quality-tests.md``.
"""

from collections.abc import Sequence
from typing import NamedTuple, Self

import msgspec

from policy.state.quality.later_verdicts import LaterVerdicts
from policy.state.quality.measured import Addition, Measured
from schemas.execution_entry import ExecutionEntry
from schemas.rules.rules import Rules


class QualityAddition(msgspec.Struct, gc=False):
    """What successes add that are counted at once; None for numbers that they do not have."""

    durations: Addition | None
    costs: Addition | None


NOTHING_ADDED = QualityAddition(None, None)


class SpeaksAgainst(NamedTuple):
    """Which numbers of the success that was counted last speak against the version."""

    duration: bool
    cost: bool


class Quality(msgspec.Struct, array_like=True, gc=False):
    """What is known of a tool's successes. Of what no execution has said there is None."""

    durations: Measured | None = None
    costs: Measured | None = None
    verdicts: LaterVerdicts | None = None
    replaced_version: int = 0
    """The version that the current one replaced; 0 if there was none."""

    def count_success(self, execution: ExecutionEntry, now_s: int, rules: Rules) -> SpeaksAgainst:
        """Count one success; ``now_s`` is the newest ``executed_at`` with it."""
        duration, cost = duration_of(execution), execution.cost
        slow = dear = False
        if duration is not None:
            self.durations = self.durations or Measured()
            slow = self.durations.count(duration, now_s, rules)
        if cost is not None:
            self.costs = self.costs or Measured()
            dear = self.costs.count(cost, now_s, rules)
        return SpeaksAgainst(slow, dear)

    def addition(
        self,
        durations: Sequence[float],
        costs: Sequence[float],
        before_s: int,
        now_s: int,
        rules: Rules,
    ) -> QualityAddition | None:
        """Return what successes with these numbers add; None if they must be counted singly."""
        slow = dear = None
        if durations:
            if self.durations is not None:
                slow = self.durations.addition(durations, before_s, now_s, rules)
            if slow is None:
                return None
        if costs:
            if self.costs is not None:
                dear = self.costs.addition(costs, before_s, now_s, rules)
            if dear is None:
                return None
        return QualityAddition(slow, dear)

    def add(self, addition: QualityAddition) -> None:
        """Count the successes of ``addition``."""
        if addition.durations is not None and self.durations is not None:
            self.durations.add(addition.durations)
        if addition.costs is not None and self.costs is not None:
            self.costs.add(addition.costs)

    def replaced(
        self, version_id: int, by: int, reactivated: bool, now_s: int, rules: Rules
    ) -> Self:
        """Return what is known after version ``by`` has replaced version ``version_id``.

        If a rollback activates the version that the current one had replaced, the baselines stay:
        they are what that version has done itself, or what it was compared with. Of an older
        version nothing is known any more.
        """
        durations, costs, verdicts = self.durations, self.costs, self.verdicts
        if not reactivated:
            return type(self)(
                durations and durations.replaced(now_s),
                costs and costs.replaced(now_s),
                verdicts and verdicts.replaced(rules),
                version_id,
            )
        if by != self.replaced_version:
            return type(self)(replaced_version=version_id)
        return type(self)(
            durations and durations.again(),
            costs and costs.again(),
            verdicts and verdicts.again(),
            version_id,
        )


def durations_of(executions: Sequence[ExecutionEntry]) -> list[float]:
    """Return the durations of these successes, as far as they are known."""
    return [
        duration
        for each in executions
        if (duration := each.duration_ms) is not None and duration >= 0.0
    ]


def costs_of(executions: Sequence[ExecutionEntry]) -> list[float]:
    """Return the costs of these successes, as far as they are known."""
    return [cost for each in executions if (cost := each.cost) is not None]


def duration_of(execution: ExecutionEntry) -> float | None:
    """Return how long an execution took, in milliseconds; None if that is not known."""
    duration = execution.duration_ms
    return duration if duration is not None and duration >= 0 else None
