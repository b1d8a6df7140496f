"""Policy `seed`, the default: the first threshold rule that holds rolls a version back."""

from collections.abc import Sequence
from typing import Any

from policy.decision.grounds import EXECUTION, NONE, Grounds
from policy.decision.policy import Policy
from policy.decision.rules_now import NearestRule, nearest_threshold
from policy.decision.threshold_rules import (
    first_rule_that_holds,
    no_rule_can_hold,
    rules_that_hold,
)
from policy.decision.verdict import Verdict
from policy.state.counting import activate, count, count_successes
from policy.state.log import LogRecord
from policy.state.outage import NO_OUTAGE, OutageTimeline
from policy.state.row import Row
from schemas.execution import Activation
from schemas.execution_entry import ExecutionEntry
from schemas.later_verdict import LaterVerdict
from schemas.rollback import Reason


class SeedPolicy(Policy):
    """Fixed thresholds (contract, section 2). Outages are not looked at."""

    watches_outages = False
    plans_rollbacks = False
    judges_newest_alone = True
    refuses_rolled_back_code = False
    waits_after_manual_rollback = False

    def activate(
        self,
        row: Row | None,
        activation: Activation,
        offset: int,
        timeline: OutageTimeline = NO_OUTAGE,
    ) -> Row:
        """Return the row after an activation, without evidence."""
        return activate(row, activation, offset, self.rules)

    def count(
        self, row: Row, record: LogRecord, execution: ExecutionEntry, timeline: OutageTimeline
    ) -> Grounds:
        """Count one execution into the windows; every execution that counts is judged."""
        return EXECUTION if count(row, execution, record.offset, self.rules) else NONE

    def count_verdict(
        self, row: Row, record: LogRecord, verdict: LaterVerdict, timeline: OutageTimeline
    ) -> Grounds:
        """Note that the record was read: rules do not look at later verdicts."""
        row.read_to = record.offset
        return NONE

    def count_successes(
        self,
        row: Row,
        executions: Sequence[ExecutionEntry],
        times_us: list[int],
        first_offset: int,
        last_offset: int,
        timeline: OutageTimeline,
    ) -> bool:
        """Count successes at once, if no rule can hold meanwhile."""
        return no_rule_can_hold(row, max(times_us), self.rules) and count_successes(
            row, executions, times_us, last_offset, self.rules
        )

    def verdict_after_newest(self, row: Row, grounds: Grounds) -> Verdict | None:
        """Return the first rule that holds."""
        return self.standing_verdict(row)

    def standing_verdict(self, row: Row) -> Verdict | None:
        """Return the first rule that holds; rules that are carried out come before dry runs.

        Otherwise a rule that is only published would hide one that acts.
        """
        rules = self.rules
        verdict = first_rule_that_holds(row, rules, rules.observe)
        return first_rule_that_holds(row, rules) if verdict is None and rules.observe else verdict

    def immediate_verdict(self, row: Row, reason: Reason | None = None) -> Verdict | None:
        """Return the first immediate rule that holds, or the one with this reason."""
        for verdict in rules_that_hold(row, self.rules):
            if verdict.tier == "immediate" and reason in (None, verdict.reason):
                return verdict
        return None

    def nearest_rule(self, row: Row) -> NearestRule | None:
        """Return the threshold that is nearest."""
        return nearest_threshold(row, self.rules)

    def strength(self, row: Row) -> float:
        """Return 0: thresholds are met or not."""
        return 0.0

    def evidence_details(self, row: Row, reason: Reason | None = None) -> dict[str, Any]:
        """Return nothing: the counts of the window are all that decided."""
        return {}
