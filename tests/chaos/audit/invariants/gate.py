"""Invariant: what a failed check speaks against runs only after a person has approved it.

The deployments of each tool are read again in their order. That a deployment was refused because of
a rollback, or changed nothing, depends on other topics, and is taken from its outcome.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from schemas.deployment import DISMISSED, NOT_HELD, SUPERSEDED, Deployment
from tests.chaos.audit.final_state import FinalState
from tests.chaos.audit.invariants.violation import Violation


class _Stored(NamedTuple):
    """What Postgres has of one tool, by the ids of deployments."""

    outcomes: dict[UUID, dict[str, Any]]
    waits: dict[UUID, str]
    """What became of those that were held."""


class _Demand(NamedTuple):
    """What must have become of a deployment."""

    wait: str | None
    """None: it was never held."""
    statuses: Sequence[str]
    refusal: str = ""
    """How the refusal begins."""


_HELD = _Demand("held", ("held",))
_DISMISSED = _Demand("dismissed", ("refused",), DISMISSED)
_APPROVED = _Demand("approved", ("created", "unchanged", "refused"))
_SUPERSEDED = _Demand("superseded", ("refused",), SUPERSEDED)
_NOT_HELD = _Demand(None, ("refused",), NOT_HELD)
_BY_A_PERSON = _Demand(None, ("created", "unchanged"))
_UNCHECKED = _Demand(None, ("created", "unchanged", "refused"))
_NOTHING_NEW = _Demand(None, ("unchanged", "refused"))


def wrong_gate(state: FinalState) -> Iterator[Violation]:
    """Yield deployments that passed the gate, or were held, against what was demanded."""
    stored: dict[str, _Stored] = defaultdict(lambda: _Stored({}, {}))
    for row in state.tables["deployments"]:
        stored[row["tool_name"]].outcomes[row["deployment_id"]] = json.loads(row["outcome"])
    for row in state.tables["held_deployments"]:
        stored[row["tool_name"]].waits[row["deployment_id"]] = row["status"]
    logs: dict[str, list[Deployment]] = defaultdict(list)
    for _, deployment in state.deployments:
        logs[deployment.tool_name].append(deployment)
    for tool, log in logs.items():
        demands = _demands(log, stored[tool])
        for deployment_id, demand in demands.items():
            outcome = stored[tool].outcomes.get(deployment_id, {})
            wait = stored[tool].waits.get(deployment_id)
            is_right = (
                wait == demand.wait
                and outcome.get("status") in demand.statuses
                and (outcome.get("refusal") or "").startswith(demand.refusal)
            )
            if not is_right:
                text = f"{wait}, {outcome.get('status')}, {outcome.get('refusal')}; not {demand}"
                yield Violation("gate", tool, f"deployment {deployment_id}", text)


def _demands(log: Sequence[Deployment], stored: _Stored) -> dict[UUID, _Demand]:
    """Return what must have become of each deployment of a tool."""
    demands: dict[UUID, _Demand] = {}
    waiting: Deployment | None = None
    for each in log:
        if each.is_answer:
            if _is_answered(waiting, each):
                demands[each.deployment_id] = _APPROVED if each.approved_by else _DISMISSED
                waiting = None
            else:
                demands.setdefault(each.deployment_id, _NOT_HELD)
        elif each.deployment_id not in demands:
            demands[each.deployment_id] = demand = _demand_of(each, stored)
            status = stored.outcomes.get(each.deployment_id, {}).get("status")
            if waiting is not None and (demand == _HELD or status == "created"):
                demands[waiting.deployment_id] = _SUPERSEDED
                waiting = None
            if demand == _HELD:
                waiting = each
    return demands


def _is_answered(waiting: Deployment | None, answer: Deployment) -> bool:
    return (
        waiting is not None
        and waiting.deployment_id == answer.deployment_id
        and waiting.code == answer.code
    )


def _demand_of(deployment: Deployment, stored: _Stored) -> _Demand:
    """Return what a new deployment leads to, before anybody answers it."""
    if deployment.created_by == "human":
        return _BY_A_PERSON
    if all(check.ok for check in deployment.checks or ()):
        return _UNCHECKED
    return _HELD if deployment.deployment_id in stored.waits else _NOTHING_NEW
