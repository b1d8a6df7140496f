"""The row of a version, rebuilt from what Postgres holds, so that the same rules can judge it."""

from collections.abc import Sequence
from datetime import datetime

from policy.decision.policy import Policy
from policy.state.counting import count
from policy.state.row import Row
from schemas.deployment import ToolVersion
from schemas.execution import Execution
from schemas.execution_entry import ExecutionEntry
from schemas.fields import micros_of


def rebuild(
    version: ToolVersion,
    executions: Sequence[Execution],
    policy: Policy,
    at: datetime | None = None,
) -> Row:
    """Return the row that these executions of the current version make, in the order of the log.

    'Now' is the time of the newest execution, or ``at`` if that is later. The ring is exact if the
    newest ``ring_size`` executions are among these. The wider windows hold only these, and there is
    no baseline, so only ``policy.decision.policy.Policy.immediate_verdict`` may be asked.
    """
    rules = policy.rules
    row = policy.activate(None, version.as_activation(), -1)
    for offset, execution in enumerate(executions):
        count(row, ExecutionEntry.of(execution), offset, rules)
    if at is not None and row.now_us is not None:
        row.now_us = max(row.now_us, micros_of(at))
    return row
