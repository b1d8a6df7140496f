"""Invariant: every record that the broker acknowledged is in its topic."""

from collections.abc import Iterator
from uuid import UUID

from schemas.execution import Execution
from schemas.later_verdict import LaterVerdict
from tests.chaos.audit.final_state import FinalState
from tests.chaos.audit.invariants.violation import Violation


def lost_records(state: FinalState, acknowledged: dict[str, set[UUID]]) -> Iterator[Violation]:
    """Yield the records that the broker acknowledged and then lost.

    ``acknowledged`` has the ids of the records, by topic. If the broker loses records, a violation
    of another invariant may not be the product's fault.
    """
    present = {
        "tool-executions": {
            entry.execution_id if isinstance(entry, Execution) else entry.verdict_id
            for log in state.logs.values()
            for _, entry in log
            if isinstance(entry, Execution | LaterVerdict)
        },
        "tool-deployments": {each.deployment_id for _, each in state.deployments},
        "rollback-commands": {each.command_id for _, each in state.commands},
    }
    for topic, ids in acknowledged.items():
        for lost in ids - present[topic]:
            yield Violation("broker", topic, str(lost), "acknowledged, but not in the topic")
