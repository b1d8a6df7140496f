"""Policy `guarded`: evidence rolls a version back, and a threshold rule names the reason.

What it does with a row is described in ``docs/explanation/guarded.md``.
"""

from collections.abc import Sequence
from typing import Any, Final, get_args

from policy.decision.grounds import EXECUTION, NONE, Ground, Grounds
from policy.decision.policy import Policy
from policy.decision.rules_now import NearestRule
from policy.decision.threshold_rules import first_rule_that_holds
from policy.decision.verdict import Verdict
from policy.state.counting import activate, count, count_successes
from policy.state.counting_window import SECOND_US
from policy.state.counts import Counts
from policy.state.log import LogRecord
from policy.state.outage import NO_OUTAGE, OutageTimeline, is_lasting
from policy.state.quality.later_verdicts import LaterVerdicts
from policy.state.quality.quality import (
    NOTHING_ADDED,
    Quality,
    QualityAddition,
    costs_of,
    durations_of,
)
from policy.state.row import Row
from policy.state.tool_evidence import ToolEvidence
from policy.weighing.betting_tables import EvidenceNumbers, betting_tables_of
from policy.weighing.evidence_summary import summary_details
from policy.weighing.quality_summary import quality_details
from policy.weighing.quality_tests import (
    QualityNumbers,
    QualityTest,
    may_condemn,
    quality_tests,
)
from policy.weighing.weighing import WeighedEvidence, condemns, weigh
from schemas.execution import Activation
from schemas.execution_entry import ExecutionEntry
from schemas.fields import micros_of
from schemas.later_verdict import LaterVerdict
from schemas.rollback import QualityReason, Reason
from schemas.rules.rules import Rules

_SLOW: Final[tuple[Ground, ...]] = ("slower",)
_DEAR: Final[tuple[Ground, ...]] = ("costlier",)
_BAD: Final[Grounds] = frozenset(("judged_bad",))


class GuardedPolicy(Policy):
    """Evidence against the baseline version; outages and noisy callers are no evidence."""

    watches_outages = True
    plans_rollbacks = True
    judges_newest_alone = False
    refuses_rolled_back_code = True
    waits_after_manual_rollback = True

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        self._numbers = EvidenceNumbers.of(rules)
        self._numbers_of_breaking = EvidenceNumbers.of_breaking(rules)
        self._quality_numbers = QualityNumbers.of(rules)
        self._acting_reasons: tuple[QualityReason, ...] = tuple(
            reason for reason in get_args(QualityReason) if not rules.observes(reason)
        )

    def activate(
        self,
        row: Row | None,
        activation: Activation,
        offset: int,
        timeline: OutageTimeline = NO_OUTAGE,
    ) -> Row:
        """Return the row after an activation, with new evidence."""
        if row is not None and row.tool_evidence is not None:
            row.tool_evidence.forget_failures_of(timeline.outages_at(offset))
        return activate(row, activation, offset, self.rules, keeps_evidence=True)

    def count(
        self, row: Row, record: LogRecord, execution: ExecutionEntry, timeline: OutageTimeline
    ) -> Grounds:
        """Count one execution into the windows, and into the evidence if it is evidence.

        A verdict may follow from a failure that is evidence, if no decision is deferred at it; and
        from a success that was slow or dear.
        """
        if not count(row, execution, record.offset, self.rules):
            return NONE
        outages = timeline.outages_at(record.offset)
        evidence = _evidence_of(row)
        evidence.forget_failures_of(outages)
        if execution.success:
            is_evidence = evidence.callers.count_successes((execution,), self.rules) > 0
        else:
            is_evidence = evidence.callers.count_failure(execution, self.rules)
        if is_lasting(outages):
            return NONE
        if execution.success:
            if is_evidence:
                _end_withdrawal(row, evidence)
                evidence.add_success()
            return self._count_quality(row, execution)
        if not is_evidence:
            return NONE
        bets = betting_tables_of(evidence.baseline, self._numbers_of(row)).break_bets
        is_signature_error = self.rules.failure_classes.is_signature_error(execution)
        evidence.add_failure(is_signature_error, bets, record.timestamp_ms)
        return NONE if record.offset in timeline.deferred else EXECUTION

    def _count_quality(self, row: Row, execution: ExecutionEntry) -> Grounds:
        """Count how long a success took and what it cost, if it says so."""
        if execution.duration_ms is None and execution.cost is None:
            return NONE
        row.quality = row.quality or Quality()
        slow, dear = row.quality.count_success(execution, row.newest_s, self.rules)
        if not (slow or dear):
            return NONE
        return frozenset(_SLOW * slow + _DEAR * dear)

    def count_verdict(
        self, row: Row, record: LogRecord, verdict: LaterVerdict, timeline: OutageTimeline
    ) -> Grounds:
        """Count a later verdict on the current version; only a bad one can condemn.

        If a rollback activated the version, a verdict from before that does not count.
        """
        row.read_to = record.offset
        if verdict.version_id != row.version_id:
            return NONE
        if row.reactivated and micros_of(verdict.judged_at) < row.activated_us:
            return NONE
        if is_lasting(timeline.outages_at(record.offset)):
            return NONE
        row.quality = quality = row.quality or Quality()
        quality.verdicts = quality.verdicts or LaterVerdicts()
        counted = quality.verdicts.count(verdict.verdict_id, verdict.bad)
        return _BAD if counted and verdict.bad else NONE

    def count_successes(
        self,
        row: Row,
        executions: Sequence[ExecutionEntry],
        times_us: list[int],
        first_offset: int,
        last_offset: int,
        timeline: OutageTimeline,
    ) -> bool:
        """Count successes at once, unless their durations or costs may condemn the version."""
        addition = self._addition(row, executions, times_us)
        if addition is None or not count_successes(
            row, executions, times_us, last_offset, self.rules
        ):
            return False
        if row.quality is not None:
            row.quality.add(addition)
        evidence = _evidence_of(row)
        evidence.forget_failures_of(timeline.outages_at(first_offset))
        number = evidence.callers.count_successes(executions, self.rules)
        if number:
            _end_withdrawal(row, evidence)
            evidence.add_success(number)
        return True

    def _addition(
        self, row: Row, executions: Sequence[ExecutionEntry], times_us: list[int]
    ) -> QualityAddition | None:
        """Return what these successes add to the quality; None if they must be counted singly."""
        durations, costs, quality = durations_of(executions), costs_of(executions), row.quality
        if not durations and not costs:
            return NOTHING_ADDED
        if quality is None or row.now_us is None:
            return None
        now_s = max(row.now_us, max(times_us)) // SECOND_US  # noqa: PLW3301 - unpacking takes longer
        addition = quality.addition(durations, costs, row.newest_s, now_s, self.rules)
        if addition is None or may_condemn(quality, addition, self._quality_numbers):
            return None
        return addition

    def verdict_after_newest(self, row: Row, grounds: Grounds) -> Verdict | None:
        """Return the verdict if the record that was counted last condemns the version."""
        if grounds != EXECUTION:
            return self._of_quality(row, grounds)
        evidence = row.tool_evidence
        if evidence is None or not evidence.evidence.last_failed:
            return None
        if not condemns(evidence.evidence, evidence.baseline, self._numbers_of(row)):
            return None
        return self._named(row)

    def standing_verdict(self, row: Row) -> Verdict | None:
        """Return the verdict if the evidence condemns the version now.

        Successes after the failure that condemned it take some of the evidence away.
        """
        if row.tool_evidence is not None and self._strength_of_failures(row) >= 1:
            return self._named(row)
        return self._of_quality(row, frozenset(self._acting_reasons))

    def immediate_verdict(self, row: Row, reason: Reason | None = None) -> Verdict | None:
        """Return None: evidence needs all executions of the version and of the one before it."""
        return None

    def strength(self, row: Row) -> float:
        """Return the odds of the test that is nearest to its limit, as a multiple of the limit.

        Quality tests that are dry runs are left out.
        """
        of_quality = (
            test.share_of_limit
            for test in self._quality_tests(row)
            if test.reason in self._acting_reasons
        )
        return max(self._strength_of_failures(row), *of_quality, 0.0)

    def nearest_rule(self, row: Row) -> NearestRule | None:
        """Return the reason whose odds are nearest to their limit, with their share of it."""
        shares: dict[Reason, float] = {"regression": self._strength_of_failures(row)}
        for test in self._quality_tests(row):
            if test.reason in self._acting_reasons:
                shares[test.reason] = test.share_of_limit
        reason = max(shares, key=lambda each: shares[each])
        share = min(shares[reason], 1.0)
        return NearestRule(reason, share) if share > 0 else None

    def evidence_details(self, row: Row, reason: Reason | None = None) -> dict[str, Any]:
        """Return the test of failures that is nearest to its limit, and the quality tests.

        A command has the quality tests only if one of them is its reason.
        """
        details = {"evidence": summary_details(self._weighed(row))}
        if reason is None or reason in get_args(QualityReason):
            details["quality"] = quality_details(self._quality_tests(row))
        return details

    def _strength_of_failures(self, row: Row) -> float:
        return self._weighed(row).nearest_to_limit.against.share_of_limit

    def _quality_tests(self, row: Row) -> list[QualityTest]:
        return quality_tests(row.quality, self._quality_numbers)

    def _of_quality(self, row: Row, grounds: Grounds) -> Verdict | None:
        """Return the verdict of the quality tests with these reasons; None if none condemns.

        One that is carried out comes before a dry run, and a new dry run before an old one.
        """
        reasons = [
            test.reason
            for test in self._quality_tests(row)
            if test.reason in grounds and test.condemns
        ]
        if not reasons:
            return None
        first = min(
            reasons,
            key=lambda reason: (self.rules.observes(reason), reason in row.dry_run_reasons),
        )
        return Verdict("standard", first, _counts_of(row))

    def _weighed(self, row: Row) -> WeighedEvidence:
        evidence = row.tool_evidence or ToolEvidence()
        return weigh(evidence.evidence, evidence.baseline, self._numbers_of(row))

    def _numbers_of(self, row: Row) -> EvidenceNumbers:
        """Return the numbers of the tests of failures: a breaking version is watched closer."""
        return self._numbers_of_breaking if row.is_breaking else self._numbers

    def _named(self, row: Row) -> Verdict:
        """Return the threshold rule that holds at this moment; `regression` if none does."""
        verdict = first_rule_that_holds(row, self.rules)
        if verdict is not None:
            return verdict
        return Verdict("standard", "regression", _counts_of(row))


def _counts_of(row: Row) -> Counts:
    """Return the counts of the evidence about the current activation."""
    seen = row.tool_evidence and row.tool_evidence.evidence
    return Counts(seen.executions, seen.failures) if seen else Counts(0, 0)


def _end_withdrawal(row: Row, evidence: ToolEvidence) -> None:
    """Forget the failures since a command was withdrawn, because the version succeeds again.

    They belong to the outage, as those before them did.
    """
    if row.last_command is not None and row.last_command.fails_since:
        row.last_command.fails_since = False
        evidence.forget_newest_failures()


def _evidence_of(row: Row) -> ToolEvidence:
    """Return the row's evidence.

    If the policy was changed during an activation, evidence begins here, without a baseline.
    """
    if row.tool_evidence is None:
        row.tool_evidence = ToolEvidence()
    return row.tool_evidence
