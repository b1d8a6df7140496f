"""A rollback's record, with what the engine itself knows of the executions behind it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from examples.autonomous_loop.trial import Decision
from examples.engine.engine import Run


def decision_of(record: dict[str, Any], read_at: datetime, runs: Sequence[Run]) -> Decision:
    """``record`` is one of a version's `rollbacks` in its history, ``read_at`` when its outcome
    was read, ``runs`` are the engine's of the tool. Runs of other engines are not known here.
    """
    details = record["details"]
    newest = [UUID(each) for each in details["recent"]]
    known = {run.execution.execution_id: run for run in runs}
    failed = [known[each].execution for each in newest if each in known]
    failed = [execution for execution in failed if not execution.success]
    # executions come in the order of their time: the newest is the one that decided
    deciding = known.get(newest[0]) if newest else None
    return Decision(
        tier=record["tier"],
        reason=record["reason"],
        issued_by=record["issued_by"],
        executions=details["executions"],
        failures=details["failures"],
        failed=tuple(execution.execution_id for execution in failed),
        error=(failed[0].error or "") if failed else "",
        latency_s=(read_at - _ended_at(deciding)).total_seconds() if deciding else None,
    )


def _ended_at(run: Run) -> datetime:
    execution = run.execution
    return execution.executed_at + timedelta(milliseconds=execution.duration_ms or 0)
