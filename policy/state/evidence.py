"""What is counted of a version to weigh it: the state, and how it counts. Pure.

How it is weighed, and why these numbers are enough: ``policy/decision/weighing.py``. The state is
whole numbers, and floats that change at failures only: n successes counted at once leave the same
bits as n successes one by one.
"""

from collections.abc import Iterable
from copy import copy
from typing import Final, NamedTuple, Self

import msgspec

from policy.state.muted_callers import Calls
from policy.state.outages import Outage
from policy.state.stored_baselines import remember
from schemas.rules import Rules

REMEMBERED: Final = 8
"""Of so many replaced versions at most a dossier keeps what they left, so that rows stay small."""
_MOST_WON: Final = 1e300
"""Greater odds than these, about the same, are not told apart; so nothing becomes infinite."""


class BreakBets(NamedTuple):
    """The bets of the break: one number of each in every tuple."""

    lost: tuple[float, ...]
    """The share of the successes that fails under the bet, in (0, 1]: a success takes it away."""
    failure: tuple[float, ...]
    """What a failure after a success, or the first execution, makes of 1."""
    failure_after_failure: tuple[float, ...]


class Baseline(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What was seen of the target, in the order of its log."""

    executions: int
    failures: int
    signature_errors: int
    after_failure: int
    """Executions whose predecessor failed."""
    failures_after_failure: int

    @property
    def successes(self) -> int:
        return self.executions - self.failures


class Evidence(msgspec.Struct, array_like=True, gc=False):
    """What was seen of one activation, in the order of its log. At most 70 bytes in a row."""

    successes: int = 0
    failures: int = 0
    failures_after_failure: int = 0
    signature_errors: int = 0
    since_failure: int = 0
    """Successes since the last failure, or since the beginning."""
    breaks: list[float] = []
    """What each bet of the break had won at the last failure; empty before the first."""

    @property
    def executions(self) -> int:
        return self.successes + self.failures

    @property
    def last_failed(self) -> bool:
        return self.failures > 0 and not self.since_failure

    @property
    def after_failure(self) -> int:
        """Executions whose predecessor failed."""
        return self.failures - self.last_failed

    @property
    def baseline(self) -> Baseline:
        """What this activation is to those that are measured by it."""
        return Baseline(
            self.executions,
            self.failures,
            self.signature_errors,
            self.after_failure,
            self.failures_after_failure,
        )

    def add_success(self, number: int = 1) -> None:
        """Count so many successes in a row. No verdict can come of it
        (``policy.decision.weighing``).
        """
        self.successes += number
        self.since_failure += number

    def add_failure(self, is_signature_error: bool, bets: BreakBets) -> None:
        """Count one failure. ``bets`` are the same for all of an activation."""
        after_failure = self.last_failed
        factors = bets.failure_after_failure if after_failure else bets.failure
        self.breaks = [
            min((won + 1.0) * factor, _MOST_WON)
            for won, factor in zip(self.breaks_now(bets.lost), factors, strict=True)
        ]
        self.failures += 1
        self.failures_after_failure += after_failure
        self.signature_errors += is_signature_error
        self.since_failure = 0

    def breaks_now(self, lost: tuple[float, ...]) -> list[float]:
        """What each bet of the break (``BreakBets.lost``) has won by now.

        Each execution adds a stake of 1, then a success keeps r = 1 - lost of all of it. So n
        successes make of M: M rⁿ + r (1 - rⁿ) / (1 - r).
        """
        number = self.since_failure
        won = self.breaks or [0.0] * len(lost)
        if not number:
            return won
        now = []
        for share, before in zip(lost, won, strict=True):
            kept = 1.0 - share
            power: float = kept**number
            now.append(before * power + kept * (1.0 - power) / share)
        return now


class Before(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What the evidence was before the failures in a row that are its newest: if it turns out that
    those belong to an outage, it becomes this again.
    """

    since_ms: int
    """The broker's time of the first of them."""
    evidence: Evidence


class ToolEvidence(msgspec.Struct, array_like=True, gc=False):
    """What policy `guarded` keeps of a tool in its row."""

    evidence: Evidence = msgspec.field(default_factory=Evidence)
    """Of the current activation."""
    baseline: Baseline | None = None
    """What the current activation is measured by; None where too little was ever seen."""
    stored_baselines: dict[int, Baseline | None] = {}
    """The baseline that each replaced version left, by version, the last replaced last."""
    before: Before | None = None
    """None where the newest execution that is evidence succeeded."""
    calls: Calls = msgspec.field(default_factory=Calls)

    def add_success(self, number: int = 1) -> None:
        """Count so many successes in a row."""
        self.before = None
        self.evidence.add_success(number)

    def add_failure(self, is_signature_error: bool, bets: BreakBets, timestamp_ms: int) -> None:
        """Count one failure."""
        if self.before is None:
            self.before = Before(timestamp_ms, copy(self.evidence))
        self.evidence.add_failure(is_signature_error, bets)

    def settle(self, outages: Iterable[Outage]) -> None:
        """Forget the newest failures if they belong to one of these outages."""
        before = self.before
        if before is not None and any(outage.holds(before.since_ms) for outage in outages):
            self.evidence, self.before = before.evidence, None

    def legacy(self, rules: Rules) -> Baseline | None:
        """The baseline that the current version leaves: its own counts if they are enough."""
        if self.evidence.executions >= rules.baseline_executions:
            return self.evidence.baseline
        return self.baseline

    def replaced(self, version_id: int, by: int, reactivated: bool, rules: Rules) -> Self:
        """The dossier behind an activation: version ``by`` takes the place of ``version_id``.

        A version that a rollback activates gets what it left itself when it was last replaced: so
        the one that was rolled back is nobody's baseline, unless it is activated again. Takes this
        dossier's ``stored_baselines`` over.
        """
        stored_baselines, legacy = self.stored_baselines, self.legacy(rules)
        remember(stored_baselines, version_id, legacy, min(rules.remembered_versions, REMEMBERED))
        return type(self)(
            baseline=stored_baselines.get(by) if reactivated else legacy,
            stored_baselines=stored_baselines,
            calls=self.calls,
        )
