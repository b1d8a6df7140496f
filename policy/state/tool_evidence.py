"""The evidence about a tool: of its current activation, and what its earlier versions left."""

from collections.abc import Iterable
from copy import copy
from typing import Final, Self

import msgspec

from policy.state.evidence import Baseline, BreakBets, Evidence
from policy.state.muted_callers import MutedCallers
from policy.state.outage import Outage
from policy.state.stored_baselines import store_baseline
from schemas.rules.rules import Rules

MOST_STORED: Final = 8
"""The baselines of at most so many replaced versions are stored, so that rows stay small."""


class EvidenceBefore(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The evidence as it was before its newest failures, which follow one another.

    If these failures turn out to belong to an outage, the evidence becomes this again.
    """

    since_ms: int
    """The Kafka timestamp of the first of these failures."""
    evidence: Evidence


class ToolEvidence(msgspec.Struct, array_like=True, gc=False):
    """The part of a row that only policy `guarded` uses."""

    evidence: Evidence = msgspec.field(default_factory=Evidence)
    """About the current activation."""
    baseline: Baseline | None = None
    """The counts that the current activation is compared with; None if there are too few."""
    stored_baselines: dict[int, Baseline | None] = {}
    """The baseline that each replaced version left, by version id, the last replaced last."""
    before: EvidenceBefore | None = None
    """None if the newest execution that is evidence succeeded."""
    callers: MutedCallers = msgspec.field(default_factory=MutedCallers)

    def add_success(self, number: int = 1) -> None:
        """Count ``number`` successes in a row."""
        self.before = None
        self.evidence.add_success(number)

    def add_failure(self, is_signature_error: bool, bets: BreakBets, timestamp_ms: int) -> None:
        """Count one failure."""
        if self.before is None:
            self.before = EvidenceBefore(timestamp_ms, copy(self.evidence))
        self.evidence.add_failure(is_signature_error, bets)

    def forget_failures_of(self, outages: Iterable[Outage]) -> None:
        """Take the newest failures back if they belong to one of these outages."""
        before = self.before
        if before is not None and any(outage.contains(before.since_ms) for outage in outages):
            self.evidence, self.before = before.evidence, None

    @property
    def evidence_before(self) -> Evidence:
        """The evidence before the newest failures in a row."""
        return self.evidence if self.before is None else self.before.evidence

    def withdraw_to(self, before: Evidence) -> None:
        """Become the evidence again that was there before the failures of an outage.

        If the newest execution failed, the failures that follow it count for the time being
        (``forget_newest_failures``).
        """
        self.evidence = copy(before)
        if self.before is not None:
            self.before = EvidenceBefore(self.before.since_ms, copy(before))

    def forget_newest_failures(self) -> None:
        """Take the newest failures back, which follow one another."""
        if self.before is not None:
            self.evidence, self.before = self.before.evidence, None

    def baseline_to_store(self, rules: Rules) -> Baseline | None:
        """Return the baseline that the current version leaves.

        Its own counts if they are enough, otherwise the baseline that it was compared with.
        """
        if self.evidence.executions >= rules.baseline_executions:
            return self.evidence.baseline
        return self.baseline

    def replaced(self, version_id: int, by: int, reactivated: bool, rules: Rules) -> Self:
        """Return the evidence after version ``by`` has replaced version ``version_id``.

        A version that a rollback activates again gets the baseline that was stored when it was last
        replaced. So the version that was rolled back is nobody's baseline, unless it is activated
        again. The new evidence takes the ``stored_baselines`` of this one over.
        """
        baselines, left = self.stored_baselines, self.baseline_to_store(rules)
        store_baseline(baselines, version_id, left, min(rules.remembered_versions, MOST_STORED))
        return type(self)(
            baseline=baselines.get(by) if reactivated else left,
            stored_baselines=baselines,
            callers=self.callers,
        )
