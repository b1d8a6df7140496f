"""Logs of one tool that are generated: by Hypothesis, or by a seeded generator.

One function builds them, and is given a way to choose what comes next. If Hypothesis chooses, a
difference shrinks to a short log. If a seeded generator chooses, many logs are compared, and it can
be checked that every rule is reached.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Any, Protocol, TypeVar
from uuid import UUID

from hypothesis import strategies as st

from schemas.execution import ActivatedBy, Activation, Execution
from schemas.fields import micros_of, time_of
from schemas.rules import Rules
from tests.support.policy.oracle import Entry

T = TypeVar("T")

TOOL = "parser"
HASH = "0" * 64
SECOND_US = 1_000_000
START = datetime(2026, 1, 1, tzinfo=UTC)
"""The beginning of a bucket, for every bucket size that is used here."""

DEFAULT = Rules()
SMALL = Rules(
    ring_size=4,
    recent_window_s=20,
    fast_window_s=60,
    fast_bucket_s=10,
    standard_window_s=600,
    standard_bucket_s=60,
    complete_failure_recent=4,
    complete_failure_executions=4,
    high_failure_rate_executions=4,
    high_failure_rate=Decimal("0.7"),
    standard_executions=4,
    baseline_executions=4,
    attempt_interval_s=30,
    attempt_interval_max_s=100,
    remembered_versions=2,
)
RULES: Sequence[Rules] = (
    SMALL,
    DEFAULT,
    # Complete failure needs fewer executions than consecutive failures, so it can be first.
    Rules.model_validate(
        SMALL.model_dump()
        | {"consecutive_failures": 4, "signature_errors": 3, "complete_failure_recent": 2}
    ),
    # A ring of one; windows that are no multiples of their buckets; a bucket as long as its window.
    Rules(
        ring_size=1,
        recent_window_s=1,
        consecutive_failures=1,
        signature_errors=1,
        complete_failure_recent=1,
        fast_window_s=120,
        fast_bucket_s=120,
        standard_window_s=600,
        standard_bucket_s=70,
        remembered_versions=1,
    ),
    # The immediate rules can hardly hold: the windows decide.
    Rules(
        ring_size=4,
        recent_window_s=10,
        consecutive_failures=4,
        signature_errors=4,
        complete_failure_recent=4,
        fast_window_s=120,
        fast_bucket_s=10,
        standard_window_s=600,
        standard_bucket_s=60,
        standard_executions=5,
        success_rate_drop=Decimal("0.2"),
        baseline_executions=3,
        attempt_interval_s=60,
        attempt_interval_max_s=60,
        remembered_versions=3,
    ),
)

QUICK = {"alpha": 0.15, "signature_alpha": 0.2, "false_alarm_executions": 30}
"""Odds that a few executions reach."""


def guarded(rules: Rules, **numbers: Any) -> Rules:
    """Return these rules under policy `guarded`, with these numbers changed."""
    return Rules.model_validate(rules.model_dump() | {"policy": "guarded"} | numbers)


GUARDED_RULES: Sequence[Rules] = (
    guarded(RULES[0], **QUICK),
    guarded(RULES[1]),
    guarded(RULES[3], **QUICK, baseline_executions=2),
    guarded(RULES[4], **QUICK, assumed_success_rate=0.9, assumed_repeat_rate=0.2),
    guarded(RULES[4], **QUICK, tolerated_drop=0.1, remembered_versions=1),
)

FAILURES: Sequence[tuple[str | None, str | None]] = (
    ("HTTP 500: Internal Server Error", "HTTPError"),
    (None, None),
    ('KeyError: "TypeErrorCount"', None),
    ("TypeError: unexpected keyword argument 'limit'", "ValueError"),
    ("timed out", "asyncio.exceptions.TimeoutError"),
)
CALLERS = (
    {"session_id": "b"},
    {"caller": "a", "session_id": "b"},
    {"caller": "b"},
    {"input_hash": "a", "caller": "a"},
    {"input_hash": "", "session_id": "a"},
)
SIGNATURE_FAILURES: Sequence[tuple[str | None, str | None]] = (
    ("unexpected keyword argument 'limit'", "TypeError"),
    (None, "AttributeError"),
    ("TypeError(\"unexpected keyword argument 'limit'\")", None),
    ("AttributeError: 'NoneType' object has no attribute 'x'", None),
    ("KeyError: 'x'", "builtins.TypeError"),
)


class Choose(Protocol):
    """Picks one of the options; the first is the simplest."""

    def __call__(self, options: Sequence[T], /) -> T: ...


@dataclass
class LogBuilder:
    """Writes one tool's log, choosing what comes next. Times are in microseconds."""

    choose: Choose
    rules: Rules
    log: list[Entry] = field(default_factory=list)
    clock: int = micros_of(START)
    timestamp_ms: int = 0
    activation: int = 0
    version: int = 0
    versions: int = 0
    activated_at: int = micros_of(START)
    activations: list[Activation] = field(default_factory=list)
    executions: list[Execution] = field(default_factory=list)
    fail_of_8: int = 0
    signature: bool = False
    pace: int = SECOND_US

    def build(self) -> list[Entry]:
        length = self.choose((6, 12, 25, 45, 60))
        if self.choose((True, True, True, True, False)):
            self._deploy()
        self._new_phase()
        for _ in range(length):
            what = self.choose(("execution",) * 30 + ("phase",) * 3 + ("deploy", "back", "stale"))
            if what == "execution":
                self._execute()
            elif what == "phase":
                self._new_phase()
            elif what == "deploy":
                self._deploy()
                self._new_phase()
            elif what == "back":
                self._roll_back()
                self._new_phase()
            else:
                self._stale()
        return self.log

    def _new_phase(self) -> None:
        rules = self.rules
        self.fail_of_8 = self.choose((0, 2, 3, 4, 5, 7, 8))
        self.signature = self.choose((False, False, True))
        self.pace = self.choose(
            (
                SECOND_US,
                rules.recent_window_s * SECOND_US // 12,
                rules.recent_window_s * SECOND_US * 2 // 3,
                rules.fast_window_s * SECOND_US // 7,
                rules.fast_window_s * SECOND_US // 4 + 1,
                rules.standard_window_s * SECOND_US // 24,
                rules.standard_window_s * SECOND_US // 9,
            )
        )

    def _deploy(self) -> None:
        self.versions += 1
        self._activate("deployment", self.versions)

    def _roll_back(self) -> None:
        """Roll back to any version so far, sometimes to one that was never current here."""
        self.versions += not self.versions
        self._activate("rollback", self.choose([*range(1, self.versions + 1), self.versions + 7]))

    def _activate(self, kind: Any, version: int) -> None:
        self.activation += self.choose((1, 1, 1, 3))
        self.version = version
        self.activated_at = self.clock + self.choose(
            (0, 1, -1, SECOND_US, -self.pace, 3 * self.pace)
        )
        activation = Activation(
            tool_name=TOOL,
            version_id=version,
            version_number=version,
            code_hash=HASH,
            activation=self.activation,
            activated_at=time_of(self.activated_at),
            activated_by=ActivatedBy(kind=kind, id=UUID(int=self.activation)),
        )
        self.activations.append(activation)
        self._append(activation, self.activated_at)

    def _stale(self) -> None:
        """Repeat an activation, or append another one that comes too late."""
        if not self.activations:
            return
        old = self.choose(self.activations[::-1])
        if self.choose((True, False)):
            old = old.model_copy(update={"version_id": self.versions + 3})
        self._append(old, micros_of(old.activated_at))

    def _execute(self) -> None:
        again = self.choose((False,) * 9 + (True,))
        if again and self.executions:
            execution = self.choose(self.executions[:-25:-1])
            if self.choose((True, False)):
                execution = execution.model_copy(update={"success": not execution.success})
            if self.choose((True, True, False)):
                execution = execution.model_copy(update={"executed_at": time_of(self._when())})
        else:
            execution = self._new_execution()
        executed_at = micros_of(execution.executed_at)
        self.clock = max(self.clock, executed_at)
        self._append(execution, executed_at)
        self.executions.append(execution)

    def _new_execution(self) -> Execution:
        success = self.choose(tuple(range(8))) >= self.fail_of_8
        error, error_type = None, None
        if not success:
            error, error_type = self.choose(SIGNATURE_FAILURES if self.signature else FAILURES)
        execution = Execution(
            execution_id=UUID(int=len(self.executions) + 1),
            tool_name=TOOL,
            version_id=self._whose(),
            success=success,
            error=error,
            error_type=error_type,
            executed_at=time_of(self._when()),
        )
        return execution.model_copy(update=self._caller())

    def _caller(self) -> dict[str, str]:
        """Return who calls, if the policy uses it."""
        if self.rules.policy == "seed":
            return {}
        return self.choose(({},) * 3 + ({"session_id": "a"},) * 3 + CALLERS)

    def _whose(self) -> int | None:
        whose = self.choose(("current",) * 9 + ("none",) * 4 + ("other",))
        if whose == "none" or not self.version:
            return None
        if whose == "current":
            return self.version
        return self.choose(tuple(range(1, self.versions + 2)))

    def _when(self) -> int:
        """Return a time: mostly a little later; or late, the same, or when something changes."""
        rules = self.rules
        how = self.choose(("on",) * 12 + ("tie", "late", "late", "activated", "window", "bucket"))
        near = self.choose((0, 1, -1)) if how in ("activated", "window", "bucket") else 0
        if how == "tie":
            return self.clock
        if how == "late":
            return self.clock - self.choose(
                (
                    1,
                    self.pace // 2,
                    3 * self.pace,
                    12 * self.pace,
                    rules.fast_window_s * SECOND_US,
                    rules.standard_window_s * SECOND_US,
                )
            )
        if how == "activated":
            return self.activated_at + near
        if how == "on" or not self.executions:
            return self.clock + self.choose((self.pace, self.pace // 3, self.pace + 1, 0))
        then = micros_of(self.choose(self.executions[:-12:-1]).executed_at)
        if how == "window":
            after = self.choose(
                (
                    rules.recent_window_s,
                    rules.fast_window_s,
                    rules.attempt_interval_s,
                    2 * rules.attempt_interval_s,
                    rules.attempt_interval_max_s,
                    rules.standard_window_s,
                )
            )
            return then + after * SECOND_US + near
        window_s, bucket_s = self.choose(
            (
                (rules.fast_window_s, rules.fast_bucket_s),
                (rules.standard_window_s, rules.standard_bucket_s),
                (0, rules.fast_bucket_s),
                (0, rules.standard_bucket_s),
            )
        )
        size = bucket_s * SECOND_US
        return then // size * size + size + window_s * SECOND_US + near

    def _append(self, entry: Execution | Activation, at: int) -> None:
        """Append a record whose Kafka timestamp is at most 60 s before the time of the entry."""
        ahead = self.choose((0, 1, -SECOND_US, 60 * SECOND_US))
        self.timestamp_ms = max(self.timestamp_ms, -((ahead - at) // 1000))
        offset = self.log[-1].offset + self.choose((1, 1, 2)) if self.log else 5
        self.log.append(Entry(offset, self.timestamp_ms, entry))


def built_by(random: Random, rules: Rules) -> list[Entry]:
    """Return a log in which this generator chooses."""
    return LogBuilder(random.choice, rules).build()


@st.composite
def logs(draw: st.DrawFn, rules: Sequence[Rules] = RULES) -> tuple[Rules, list[Entry]]:
    """Draw one of the rules and a log for them."""

    def choose(options: Sequence[T], /) -> T:
        return draw(st.sampled_from(options))

    chosen = choose(rules)
    return chosen, LogBuilder(choose, chosen).build()
