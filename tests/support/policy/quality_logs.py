"""Generated logs with durations, costs and later verdicts."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from random import Random
from typing import Final
from unittest.mock import patch
from uuid import UUID

from hypothesis import strategies as st

from schemas.execution import Execution
from schemas.fields import micros_of, time_of
from schemas.later_verdict import LaterVerdict
from schemas.rules.rules import Rules
from tests.support.policy.generated_logs import (
    QUICK,
    RULES,
    SECOND_US,
    TOOL,
    LogBuilder,
    T,
    guarded,
)
from tests.support.policy.oracle.log import Entry

_QUICK: Final = QUICK | {
    "judged_bad_alpha": 0.5,
    "slower_alpha": 0.6,
    "slower_tolerance": 1.0,
    "warm_up_executions": 1,
    "baseline_executions": 2,
}
QUALITY_RULES: Sequence[Rules] = (
    guarded(RULES[0], **_QUICK, compared_span_s=60),
    guarded(RULES[4], **_QUICK, compared_span_s=100, enforce=("slower",)),
    guarded(RULES[4], **_QUICK, compared_span_s=3_000, enforce=("costlier",), hold=("judged_bad",)),
    guarded(RULES[0], **_QUICK, compared_span_s=600, enforce=("slower", "costlier")),
    RULES[0],
)
"""Numbers by which few executions condemn a version; the last ones are of policy `seed`."""


def small_blocks() -> AbstractContextManager[object]:
    """Return a context in which a few numbers are enough for a block, and for a baseline."""
    return patch.multiple("policy.state.quality.measured", LEAST_OF_BLOCK=6, LEAST_OF_BASELINE=4)


@dataclass
class QualityLogBuilder(LogBuilder):
    """Builds logs of versions that become slow and dear, and that judges call bad."""

    slow_of_8: int = 0
    bad_of_8: int = 0
    judged: int = 0
    lengths: Sequence[int] = (12, 45, 90, 120)

    def _new_phase(self) -> None:
        super()._new_phase()
        self.fail_of_8 = min(self.fail_of_8, self.choose((0, 0, 0, 1, 8)))
        self.slow_of_8 = self.choose((0, 5, 1, 6, 0))
        self.bad_of_8 = self.choose((0, 0, 1, 7))
        self.pace = min(self.pace, self.rules.compared_span_s * SECOND_US // 8)

    def _execute(self) -> None:
        if self.version and self.choose((False, False, True)):
            self._judge()
        else:
            super()._execute()

    def _new_execution(self) -> Execution:
        numbers = {"duration_ms": self._number(-1.0), "cost": self._number(None)}
        return super()._new_execution().model_copy(update=numbers)

    def _number(self, bad: float | None) -> float | None:
        kind = self.choose(("some",) * 30 + ("none", "bad", "zero", "huge"))
        if kind != "some":
            return {"none": None, "bad": bad, "zero": 0.0, "huge": 1e300}[kind]
        usual = self.choose((100.0, 101.0, 99.5, 112.5, 90.0, 110.0))
        return usual * (3 if self.choose(tuple(range(8))) < self.slow_of_8 else 1)

    def _judge(self) -> None:
        """Append a verdict; sometimes a repeated one, or one on another version."""
        again = self.judged and self.choose((False,) * 6 + (True,))
        number = self.choose(range(self.judged, max(self.judged - 12, 0), -1)) if again else 0
        if not again:
            self.judged += 1
        verdict = LaterVerdict(
            verdict_id=UUID(int=number or self.judged),
            execution_id=UUID(int=self.choose((1, len(self.executions) + 1))),
            tool_name=TOOL,
            version_id=self.choose((self.version,) * 8 + (self.versions + 1, 1)),
            bad=self.choose(tuple(range(8))) < self.bad_of_8,
            by="judge",
            judged_at=time_of(self.choose((self.clock, self.activated_at, self.activated_at - 1))),
        )
        self._append(verdict, micros_of(verdict.judged_at))


def quality_log_built_by(random: Random, rules: Rules) -> list[Entry]:
    """Return a log in which this generator chooses."""
    return QualityLogBuilder(random.choice, rules).build()


@st.composite
def quality_logs(draw: st.DrawFn) -> tuple[Rules, list[Entry]]:
    """Draw one of the rules and a log for them."""

    def choose(options: Sequence[T], /) -> T:
        return draw(st.sampled_from(options))

    chosen = choose(QUALITY_RULES)
    return chosen, QualityLogBuilder(choose, chosen).build()
