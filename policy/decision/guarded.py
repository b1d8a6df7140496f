"""Policy `guarded`: evidence rolls a version back, and a threshold rule names the reason.

What it does with a row is described in ``docs/explanation/guarded.md``.
"""

from collections.abc import Sequence
from typing import Any

from policy.decision.policy import Policy
from policy.decision.threshold_rules import first_rule_that_holds
from policy.decision.verdict import Verdict
from policy.state.counting import activate, count, count_successes
from policy.state.counts import Counts
from policy.state.log import LogRecord
from policy.state.outage import NO_OUTAGE, OutageTimeline, is_lasting
from policy.state.row import Row
from policy.state.tool_evidence import ToolEvidence
from policy.weighing.betting_tables import EvidenceNumbers, betting_tables_of
from policy.weighing.evidence_summary import summary_details
from policy.weighing.weighing import WeighedEvidence, condemns, weigh
from schemas.execution import Activation
from schemas.execution_entry import ExecutionEntry
from schemas.rollback import Reason
from schemas.rules import Rules


class GuardedPolicy(Policy):
    """Evidence against the baseline version; outages and noisy callers are no evidence."""

    watches_outages = True
    plans_rollbacks = True
    judges_newest_alone = False
    refuses_rolled_back_code = True

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        self._numbers = EvidenceNumbers.of(rules)

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
    ) -> bool:
        """Count one execution into the windows, and into the evidence if it is evidence.

        A verdict may follow only if it is evidence, and if no decision is deferred at it.
        """
        if not count(row, execution, record.offset, self.rules):
            return False
        outages = timeline.outages_at(record.offset)
        evidence = _evidence_of(row)
        evidence.forget_failures_of(outages)
        if execution.success:
            is_evidence = evidence.callers.count_successes((execution,), self.rules) > 0
        else:
            is_evidence = evidence.callers.count_failure(execution, self.rules)
        if not is_evidence or is_lasting(outages):
            return False
        if execution.success:
            _end_withdrawal(row, evidence)
            evidence.add_success()
        else:
            bets = betting_tables_of(evidence.baseline, self._numbers).break_bets
            is_signature_error = self.rules.failure_classes.is_signature_error(execution)
            evidence.add_failure(is_signature_error, bets, record.timestamp_ms)
        return record.offset not in timeline.deferred

    def count_successes(
        self,
        row: Row,
        executions: Sequence[ExecutionEntry],
        first_offset: int,
        last_offset: int,
        timeline: OutageTimeline,
    ) -> bool:
        """Count successes at once: only a failure condemns."""
        if not count_successes(row, executions, last_offset, self.rules):
            return False
        evidence = _evidence_of(row)
        evidence.forget_failures_of(timeline.outages_at(first_offset))
        number = evidence.callers.count_successes(executions, self.rules)
        if number:
            _end_withdrawal(row, evidence)
            evidence.add_success(number)
        return True

    def verdict_after_newest(self, row: Row) -> Verdict | None:
        """Return the verdict if the execution that was counted last condemns the version."""
        evidence = row.tool_evidence
        if evidence is None or not evidence.evidence.last_failed:
            return None
        if not condemns(evidence.evidence, evidence.baseline, self._numbers):
            return None
        return self._named(row)

    def standing_verdict(self, row: Row) -> Verdict | None:
        """Return the verdict if the evidence condemns the version now.

        Successes after the failure that condemned it take some of the evidence away.
        """
        return self._named(row) if row.tool_evidence and self.strength(row) >= 1 else None

    def immediate_verdict(self, row: Row, reason: Reason | None = None) -> Verdict | None:
        """Return None: evidence needs all executions of the version and of the one before it."""
        return None

    def strength(self, row: Row) -> float:
        """Return the odds of the test that is nearest to its limit, as a multiple of the limit."""
        return self._weighed(row).nearest_to_limit.against.share_of_limit

    def evidence_details(self, row: Row) -> dict[str, Any]:
        """Return the test that is nearest to its limit, with every number of it."""
        return {"evidence": summary_details(self._weighed(row))}

    def _weighed(self, row: Row) -> WeighedEvidence:
        evidence = row.tool_evidence or ToolEvidence()
        return weigh(evidence.evidence, evidence.baseline, self._numbers)

    def _named(self, row: Row) -> Verdict:
        """Return the threshold rule that holds at this moment; `regression` if none does."""
        verdict = first_rule_that_holds(row, self.rules)
        if verdict is not None:
            return verdict
        seen = row.tool_evidence and row.tool_evidence.evidence
        counts = Counts(seen.executions, seen.failures) if seen else Counts(0, 0)
        return Verdict("standard", "regression", counts)


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
