"""The row of a version from what Postgres holds, to be judged as the detector judges. Pure."""

from collections.abc import Sequence
from datetime import datetime

from policy.decision.threshold_rules import Verdict, judge
from policy.state.row import Row, activate, count
from schemas.deployment import ToolVersion
from schemas.execution import Execution
from schemas.execution_entry import ExecutionEntry
from schemas.fields import micros_of
from schemas.rules import Rules


def rebuild(
    version: ToolVersion, executions: Sequence[Execution], rules: Rules, at: datetime | None = None
) -> Row:
    """The row as these executions of the current version make it, in the order of the log.

    'Now' is the newest execution's time, or ``at`` where that is later. The ring is exact if the
    newest ``ring_size`` executions are among these; the wider windows hold these alone, and there
    is no baseline: only the immediate rules can be asked of it (:func:`immediate`).
    """
    row = activate(None, version.as_activation(), -1, rules)
    for offset, execution in enumerate(executions):
        count(row, ExecutionEntry.of(execution), offset, rules)
    if at is not None and row.now_us is not None:
        row.now_us = max(row.now_us, micros_of(at))
    return row


def immediate(row: Row, rules: Rules) -> Verdict | None:
    """What the immediate rules say; None also where only a slower one would hold, and under policy
    `guarded`: evidence is of all executions and of the predecessor's, which only the detector's row
    holds, and the rules decide nothing.
    """
    if rules.policy != "seed":
        return None
    verdict = judge(row, rules)
    return verdict if verdict is not None and verdict.tier == "immediate" else None
