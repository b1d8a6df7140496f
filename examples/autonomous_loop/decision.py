"""The decision to roll a candidate back, with what the engine itself knows of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from examples.engine.runs import Run


@dataclass(frozen=True)
class Decision:
    """The rollback of a candidate.

    ``executions`` and ``failures`` are the counts of the window that decided. ``failed`` are the
    failed ones among the newest executions, the newest first, and ``error`` is the error of the
    first of them. ``issued_by`` says who commanded the rollback first. ``latency_s`` is the time
    from the end of the call that decided until the outcome was read; None if another engine made
    that call.
    """

    tier: str
    reason: str
    issued_by: str
    executions: int
    failures: int
    failed: tuple[UUID, ...]
    error: str
    latency_s: float | None

    @property
    def rule(self) -> str:
        """The tier and the reason."""
        return f"{self.tier} {self.reason}"

    @property
    def is_by_detector(self) -> bool:
        """Whether the detector decided, at the first execution at which any rule held.

        The monitor polls, so it may decide later, when an earlier rule of the list holds as well.
        """
        return self.issued_by == "detector"


def decision_of(record: dict[str, Any], read_at: datetime, runs: Sequence[Run]) -> Decision:
    """Return the decision that a rollback in a version's history records.

    ``record`` is one of the `rollbacks` of the version, ``read_at`` is when the outcome was read,
    and ``runs`` are the runs of the tool by this engine. Of other engines' runs only the counts in
    the record are known.
    """
    details = record["details"]
    newest = [UUID(each) for each in details["recent"]]
    run_of = {run.execution.execution_id: run for run in runs}
    known = [run_of[each].execution for each in newest if each in run_of]
    failed = [execution for execution in known if not execution.success]
    # Executions are counted in the order of their time: the newest one decided.
    deciding = run_of.get(newest[0]) if newest else None
    return Decision(
        tier=record["tier"],
        reason=record["reason"],
        issued_by=record["issued_by"],
        executions=details["executions"],
        failures=details["failures"],
        failed=tuple(execution.execution_id for execution in failed),
        error=(failed[0].error or "") if failed else "",
        latency_s=(read_at - deciding.execution.executed_at).total_seconds() if deciding else None,
    )
