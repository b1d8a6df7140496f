"""The interface of a policy, which judges the versions of one tool.

There are two: ``policy.decision.seed.SeedPolicy`` and
``policy.decision.guarded.GuardedPolicy``. A policy is chosen once for a tool
(``policy.decision.policies``); nobody else asks for its name.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from policy.decision.grounds import Grounds
from policy.decision.rules_now import NearestRule
from policy.decision.verdict import Verdict
from policy.state.log import LogRecord
from policy.state.outage import NO_OUTAGE, OutageTimeline
from policy.state.row import Row
from schemas.execution import Activation
from schemas.execution_entry import ExecutionEntry
from schemas.later_verdict import LaterVerdict
from schemas.rollback import Reason
from schemas.rules.rules import Rules


class Policy(ABC):
    """The policy of a tool, with its rules. It has no state: all that is remembered is in rows."""

    watches_outages: ClassVar[bool]
    """Whether failures condemn no version while many tools of the partition fail at once."""
    plans_rollbacks: ClassVar[bool]
    """Whether an automatic rollback has a plan: a target chosen by what was seen of it, limits on
    how often a tool is rolled back, a hold if the target breaks callers."""
    judges_newest_alone: ClassVar[bool]
    """Whether the newest executions of a version are enough for an immediate verdict. If not, only
    the detector knows, because it has counted all executions."""
    refuses_rolled_back_code: ClassVar[bool]
    """Whether a machine may not deploy code again that was rolled back."""
    waits_after_manual_rollback: ClassVar[bool]
    """Whether machines wait with deployments of a tool after a person's rollback, unless a setting
    says otherwise."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules

    @abstractmethod
    def activate(
        self,
        row: Row | None,
        activation: Activation,
        offset: int,
        timeline: OutageTimeline = NO_OUTAGE,
    ) -> Row:
        """Return the row after an activation (``policy.state.counting.activate``)."""

    @abstractmethod
    def count(
        self, row: Row, record: LogRecord, execution: ExecutionEntry, timeline: OutageTimeline
    ) -> Grounds:
        """Count one execution into the row, and return on what grounds a verdict may follow."""

    @abstractmethod
    def count_verdict(
        self, row: Row, record: LogRecord, verdict: LaterVerdict, timeline: OutageTimeline
    ) -> Grounds:
        """Count what a judge says of an execution, and return what may follow from it."""

    @abstractmethod
    def count_successes(
        self,
        row: Row,
        executions: Sequence[ExecutionEntry],
        times_us: list[int],
        first_offset: int,
        last_offset: int,
        timeline: OutageTimeline,
    ) -> bool:
        """Count successes of the current activation at once, if that is the same as one by one.

        ``times_us`` are their times. Return whether they were counted. No outage begins, ends or
        lasts among them.
        """

    @abstractmethod
    def verdict_after_newest(self, row: Row, grounds: Grounds) -> Verdict | None:
        """Return what speaks against the version at the record that was counted last."""

    @abstractmethod
    def standing_verdict(self, row: Row) -> Verdict | None:
        """Return what speaks against the version now, whatever execution came last."""

    @abstractmethod
    def immediate_verdict(self, row: Row, reason: Reason | None = None) -> Verdict | None:
        """Return what speaks against the version by its newest executions alone.

        For a row that was rebuilt from Postgres, which holds nothing else. With a ``reason``, only
        a verdict for this reason is returned, even if another rule holds too.
        """

    @abstractmethod
    def nearest_rule(self, row: Row) -> NearestRule | None:
        """Return the rule that is nearest to condemning the version; None if nothing is near."""

    @abstractmethod
    def strength(self, row: Row) -> float:
        """Return how strong the evidence against the version is; 0 if the policy weighs none."""

    @abstractmethod
    def evidence_details(self, row: Row, reason: Reason | None = None) -> dict[str, Any]:
        """Return what ``details`` say besides the counts of the window.

        With a ``reason``, these are the details of a command for this reason.
        """
