"""Deployments that make no version: those that are refused, and those that wait for a person."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from agents.applier.deployments.refusals import rolled_back_code
from db.postgres.pool import Connection
from db.versions.deploying import Obstacle
from db.versions.held import WaitingDeployment
from policy.breaking.finding import Finding
from policy.deployments.gate import gate_decision
from schemas.deployment import (
    DISMISSED,
    GATE,
    IDENTICAL_TO_ROLLED_BACK,
    NOT_HELD,
    Deployment,
    RolledBack,
    ToolVersion,
)
from schemas.settings import Settings


class AskedDeployment(NamedTuple):
    """A deployment as it would become a version, and the answer to it if it is held."""

    deployment: Deployment
    answer: Deployment | None = None
    held_findings: Sequence[str] = ()

    @property
    def tool_name(self) -> str:
        """The tool of the deployment."""
        return self.deployment.tool_name


def asked_deployment(request: Deployment, waiting: WaitingDeployment | None) -> AskedDeployment:
    """Return what a request asks for. Pure.

    ``waiting`` is the deployment of the tool that waits. An answer is about what was held, whatever
    else it contains, and must contain the code that was held: so a signed answer is about that code
    alone. Only ``deployed_at`` is the answer's, because the version counts from then.
    """
    if (
        waiting is None
        or waiting.is_past_hold
        or not request.is_answer
        or request.deployment_id != waiting.deployment.deployment_id
        or request.code != waiting.deployment.code
    ):
        return AskedDeployment(request)
    deployment = waiting.deployment.model_copy(update={"deployed_at": request.deployed_at})
    return AskedDeployment(deployment, request, waiting.findings)


async def obstacles_of(
    conn: Connection,
    asked: Sequence[AskedDeployment],
    current: Mapping[str, ToolVersion],
    findings: Mapping[str, Sequence[Finding]],
    settings: Settings,
) -> dict[str, Obstacle]:
    """Return, by tool, what keeps deployments from becoming versions; each is of another tool.

    ``findings`` are the changes in their code, by tool. What is said of a deployment that has its
    outcome already has no effect. To be called under the locks of the tools. Raises Retryable.
    """
    rolled_back = await rolled_back_code(
        conn, [each.deployment for each in asked], current, settings
    )
    obstacles = {
        each.tool_name: _obstacle_of(
            each,
            rolled_back.get(each.tool_name),
            findings[each.tool_name],
            settings,
            is_current=_is_current(each, current.get(each.tool_name)),
        )
        for each in asked
    }
    return {tool: each for tool, each in obstacles.items() if each is not None}


def _obstacle_of(
    asked: AskedDeployment,
    rolled_back: RolledBack | None,
    findings: Sequence[Finding],
    settings: Settings,
    *,
    is_current: bool,
) -> Obstacle | None:
    """Return the first obstacle that applies."""
    answer = asked.answer
    if answer is None and asked.deployment.is_answer:
        return Obstacle("refused", NOT_HELD)
    if answer is not None and answer.dismissed_by is not None:
        why = f": {answer.dismissal}" if answer.dismissal else ""
        refusal = f"{DISMISSED}{answer.dismissed_by}{why}"
        return Obstacle("refused", refusal, findings=asked.held_findings)
    if rolled_back is not None:
        return Obstacle(
            "refused", IDENTICAL_TO_ROLLED_BACK, rolled_back, findings=asked.held_findings
        )
    if answer is not None:
        return None
    rules = settings.rules_of(asked.tool_name)
    action, against = gate_decision(asked.deployment, findings, rules.gate, is_current=is_current)
    if action == "hold":
        return Obstacle("held", findings=against, hold_expires_s=rules.hold_expires_s)
    return Obstacle("refused", GATE, findings=against) if action == "refuse" else None


def _is_current(asked: AskedDeployment, current: ToolVersion | None) -> bool:
    return current is not None and current.code == asked.deployment.code
