"""A model of the contract's rules (section 2) for the log of one tool, fast enough for a long log.

It was written from the contract; the only product code that it uses are the schemas. It keeps all
executions of an activation and sums the windows anew at each judgement.
``tests/unit/measuring/test_chaos_model.py`` compares it with the oracle.
"""

from bisect import insort
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any, NamedTuple

from schemas.execution import Activation, Execution
from schemas.fields import micros_of, time_of
from schemas.rollback import Reason, RollbackCommand, Tier, automatic_command_id
from schemas.rules.rules import Rules
from tests.support.policy.oracle.whose_failure import is_signature_error, origin_of

_HOUR_US = 3_600_000_000


class SeenExecution(NamedTuple):
    """An execution that counts. Executions sort by their time, and by offset at equal times."""

    at_us: int
    offset: int
    execution_id: str
    failed: bool
    is_signature_error: bool


@dataclass
class Window:
    """The executions and failures of each bucket, by the second in which the bucket begins."""

    window_s: int
    bucket_s: int
    executions: Counter[int] = field(default_factory=Counter)
    failures: Counter[int] = field(default_factory=Counter)

    def add(self, execution: SeenExecution) -> None:
        seconds = execution.at_us // 1_000_000
        bucket = seconds - seconds % self.bucket_s
        self.executions[bucket] += 1
        self.failures[bucket] += execution.failed

    def at(self, now_us: int) -> tuple[int, int]:
        """Return the executions and failures that count at this 'now'."""
        since_us = now_us - self.window_s * 1_000_000
        live = [b for b in self.executions if (b + self.bucket_s) * 1_000_000 > since_us]
        return sum(self.executions[b] for b in live), sum(self.failures[b] for b in live)


class ToolModel:
    """Judges the log of one tool, record after record."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.current: Activation | None = None
        self.baseline: tuple[int, int] | None = None
        self.stored_baselines: dict[int, tuple[int, int] | None] = {}
        self._begin()

    def _begin(self) -> None:
        rules = self.rules
        self.counted: list[SeenExecution] = []
        self.others: list[tuple[int, str]] = []
        """The hour and the origin of each failure that is not the tool's."""
        self.fast = Window(rules.fast_window_s, rules.fast_bucket_s)
        self.standard = Window(rules.standard_window_s, rules.standard_bucket_s)
        self.commanded_at: list[datetime] = []

    def read(
        self, offset: int, timestamp_ms: int, entry: Execution | Activation
    ) -> RollbackCommand | None:
        """Read the next record; return the command that it demands, if there is one."""
        if isinstance(entry, Activation):
            if self.current is None or entry.activation > self.current.activation:
                self._activate(entry)
            return None
        return self._judge(entry, timestamp_ms) if self._count(entry, offset) else None

    def _activate(self, new: Activation) -> None:
        stored = None
        if self.current is not None:
            stored = self._baseline_to_store()
            self.stored_baselines.pop(self.current.version_id, None)
            self.stored_baselines[self.current.version_id] = stored
            while len(self.stored_baselines) > self.rules.remembered_versions:
                del self.stored_baselines[next(iter(self.stored_baselines))]
        if new.activated_by.kind == "rollback":
            stored = self.stored_baselines.get(new.version_id)
        self.current, self.baseline = new, stored
        self._begin()

    def _baseline_to_store(self) -> tuple[int, int] | None:
        if self.counted:
            counts = self.standard.at(self.counted[-1].at_us)
            if counts[0] >= self.rules.baseline_executions:
                return counts
        return self.baseline

    def ring(self) -> list[SeenExecution]:
        """Return the newest executions, the newest last."""
        return self.counted[-self.rules.ring_size :]

    def recent(self) -> list[SeenExecution]:
        """Return the executions of the ring that are recent, the newest first."""
        if not self.counted:
            return []
        since_us = self.counted[-1].at_us - self.rules.recent_window_s * 1_000_000
        return [each for each in reversed(self.ring()) if each.at_us >= since_us]

    def windows(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return the executions and failures of the fast and of the standard window at 'now'."""
        if not self.counted:
            return (0, 0), (0, 0)
        now_us = self.counted[-1].at_us
        return self.fast.at(now_us), self.standard.at(now_us)

    def _count(self, execution: Execution, offset: int) -> bool:
        current = self.current
        if current is None or execution.version_id not in (None, current.version_id):
            return False
        if current.activated_by.kind == "rollback" and execution.executed_at < current.activated_at:
            return False
        execution_id = str(execution.execution_id)
        if any(each.execution_id == execution_id for each in self.ring()):
            return False
        origin = origin_of(execution, self.rules)
        if origin in ("caller", "environment"):
            self.others.append((micros_of(execution.executed_at) // _HOUR_US, origin))
            return False
        failed = not execution.success
        signature = is_signature_error(execution, self.rules)
        seen = SeenExecution(
            micros_of(execution.executed_at), offset, execution_id, failed, signature
        )
        insort(self.counted, seen)
        self.fast.add(seen)
        self.standard.add(seen)
        return True

    def not_judged(self) -> dict[str, int]:
        """Return how many failures of the last 24 hours are not the tool's, by origin."""
        newest = max([hour for hour, _ in self.others], default=0)
        if self.counted:
            newest = max(newest, self.counted[-1].at_us // _HOUR_US)
        lately = [origin for hour, origin in self.others if hour >= newest - 24]
        return {origin: lately.count(origin) for origin in ("caller", "environment")}

    def _judge(self, execution: Execution, timestamp_ms: int) -> RollbackCommand | None:
        current, rules = self.current, self.rules
        assert current is not None
        now = time_of(self.counted[-1].at_us)
        if self.commanded_at:
            wait_s = rules.attempt_interval_s * 2 ** (len(self.commanded_at) - 1)
            wait = timedelta(seconds=min(wait_s, rules.attempt_interval_max_s))
            if now - self.commanded_at[-1] < wait:
                return None
        decision = self._first_rule()
        if decision is None:
            return None
        tier, reason, (executions, failures) = decision
        self.commanded_at.append(now)
        attempt = len(self.commanded_at)
        return RollbackCommand(
            command_id=automatic_command_id(
                execution.tool_name, current.version_id, current.activation, attempt
            ),
            tool_name=execution.tool_name,
            from_version_id=current.version_id,
            from_activation=current.activation,
            tier=tier,
            reason=reason,
            details={
                "recent": [each.execution_id for each in self.recent()],
                "executions": executions,
                "failures": failures,
                "success_rate": (executions - failures) / executions,
                "baseline": baseline_shown(self.baseline),
                "attempt": attempt,
                **({"not_judged": self.not_judged()} if any(self.not_judged().values()) else {}),
            },
            issued_by="detector",
            issued_at=min(now, time_of(timestamp_ms * 1000)),
        )

    def _first_rule(self) -> tuple[Tier, Reason, tuple[int, int]] | None:
        rules, recent = self.rules, self.recent()
        counts = len(recent), sum(each.failed for each in recent)
        first = recent[: rules.consecutive_failures]
        if len(first) == rules.consecutive_failures and all(each.failed for each in first):
            return "immediate", "consecutive_failures", counts
        if sum(each.is_signature_error for each in recent) >= rules.signature_failures:
            return "immediate", "signature_change", counts
        if counts[0] >= rules.complete_failure_recent and counts[0] == counts[1]:
            return "immediate", "complete_failure", counts
        fast, standard = self.windows()
        if fast[0] >= rules.complete_failure_executions and fast[0] == fast[1]:
            return "fast", "complete_failure", fast
        if fast[0] >= rules.high_failure_rate_executions and Fraction(*reversed(fast)) > Fraction(
            rules.high_failure_rate
        ):
            return "fast", "high_failure_rate", fast
        if self.baseline is not None and standard[0] >= rules.standard_executions:
            before = 1 - Fraction(self.baseline[1], self.baseline[0])
            now = 1 - Fraction(standard[1], standard[0])
            if before - now >= Fraction(rules.success_rate_drop):
                return "standard", "success_rate_drop", standard
        return None


def baseline_shown(counts: tuple[int, int] | None) -> dict[str, Any] | None:
    """Return a baseline as messages show it."""
    if counts is None:
        return None
    executions, failures = counts
    return {"executions": executions, "success_rate": (executions - failures) / executions}
