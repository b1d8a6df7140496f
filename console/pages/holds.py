"""The page *what waits*: held rollbacks and deployments, their evidence, and a person's answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from console.admission.visitor import visitor_of
from console.answering import answer_deployment
from console.api.parameters import DeploymentIdInPath, ServicesHere
from console.events.event import Event
from console.pages.evidence_bars import Bar, bars_of
from console.pages.filters import ToolFilter, ToolInForm, address
from console.pages.forms import Confirmed, Reason, Result, ordered
from console.pages.rendering.answers import page
from console.pages.rendering.known import or_note
from console.pages.rollbacks import rollback_path
from console.services import Services
from db.rollbacks.records import RollbackRecord
from db.versions.held import HeldDeployment, deployment_held
from db.versions.outcomes import DeploymentKey
from policy.rollbacks.costs import RollbackCost, cost_text
from rollguard.operations.overview.rollback_costs import costs_of
from rollguard.operations.rollbacks import rule_and_evidence
from rollguard.operations.waiting import all_waiting
from rollguard.refusal import refusal_text
from rollguard.value_texts import hold_text, version_text
from schemas.deployment import DISMISSED, DeploymentOutcome
from schemas.rollback import RollbackOutcome
from schemas.settings import Settings

router: Final = APIRouter()
PATH: Final = "/holds"
_MOST: Final = 50


@dataclass(frozen=True)
class RollbackHold:
    """A rollback that waits."""

    record: RollbackRecord
    path: str
    why_held: str
    rule: str
    evidence: str | None
    bars: list[Bar]
    cost: str


@dataclass(frozen=True)
class DeploymentHold:
    """A deployment that waits, with its code."""

    record: HeldDeployment
    code: str | None

    @property
    def by(self) -> str:
        """Who wants to deploy it."""
        author = self.record.author
        return f"{author} ({self.record.created_by})" if author else str(self.record.created_by)


@dataclass(frozen=True)
class OnlyTold:
    """Something that an event said to wait, while Postgres does not say whether it still does."""

    tool_name: str
    what: str
    at: datetime


@dataclass(frozen=True)
class Waiting:
    """What waits, the newest first; of ``number`` in all some are shown."""

    holds: Sequence[RollbackHold | DeploymentHold]
    number: int


@router.get(PATH)
async def holds_page(request: Request, services: ServicesHere, tool: ToolFilter = None) -> Response:
    """List what waits for a person, the newest first."""
    now, notes = datetime.now(UTC), list[str]()
    found = await or_note(
        _waiting(services, tool), notes, "Whether anything still waits is not known"
    )
    return page(
        request,
        "holds.html",
        found=found,
        told=[] if found is not None else told_to_wait(services.feed.newest(), tool),
        tool=tool,
        here=address(PATH, tool=tool),
        notes=notes,
        as_of=now if found is not None else services.feed.as_of,
        source="Postgres" if found is not None else "events",
    )


@router.post(f"{PATH}/deployments/{{deployment_id}}/approve")
async def approve(
    request: Request,
    services: ServicesHere,
    deployment_id: DeploymentIdInPath,
    tool: ToolInForm,
    confirmed: Confirmed = "",
) -> Response:
    """Make a version of a held deployment in the name of who asks."""

    async def order() -> Result:
        by = visitor_of(request).name
        outcome = await answer_deployment(services, deployment_id, tool, approved_by=by)
        if outcome.version_id is None:
            return Result(f"It was not deployed: {refusal_text(outcome)}.", is_done=False)
        version = version_text(outcome.version_number, outcome.version_id)
        is_new = "is current" if outcome.status == "created" else "had this code already"
        return Result(f"{tool}: {version} {is_new}.")

    return await ordered(request, PATH, confirmed, None, order)


@router.post(f"{PATH}/deployments/{{deployment_id}}/dismiss")
async def dismiss(
    request: Request,
    services: ServicesHere,
    deployment_id: DeploymentIdInPath,
    tool: ToolInForm,
    reason: Reason = "",
    confirmed: Confirmed = "",
) -> Response:
    """Refuse a held deployment in the name of who asks."""

    async def order() -> Result:
        by = visitor_of(request).name
        outcome = await answer_deployment(
            services, deployment_id, tool, dismissed_by=by, dismissal=reason.strip()
        )
        if (outcome.refusal or "").startswith(DISMISSED):
            return Result(f"{tool}: the deployment is dismissed.")
        what = outcome.refusal or outcome.status
        return Result(f"It was not dismissed: {what} before.", is_done=False)

    return await ordered(request, PATH, confirmed, reason, order)


async def _waiting(services: Services, tool: str | None) -> Waiting:
    async with services.postgres() as conn:
        found = await all_waiting(conn, tool)
        shown = found[:_MOST]
        costs = await costs_of(conn, [each for each in shown if isinstance(each, RollbackRecord)])
        codes = {}
        for each in shown:
            if isinstance(each, HeldDeployment):
                key = DeploymentKey(each.tool_name, each.deployment_id)
                held = await deployment_held(conn, key)
                codes[key] = None if held is None else held[1]
    return Waiting(
        [
            _rollback(services.settings, each, costs.get(each.key))
            if isinstance(each, RollbackRecord)
            else DeploymentHold(each, codes[DeploymentKey(each.tool_name, each.deployment_id)])
            for each in shown
        ],
        len(found),
    )


def _rollback(
    settings: Settings, record: RollbackRecord, cost: RollbackCost | None
) -> RollbackHold:
    rule, evidence = rule_and_evidence(settings, record)
    why = "decisions for this reason wait (ROLLGUARD_HOLD)"
    if record.is_breaking_change:
        why = f"the target breaks calls, or {why}"
    return RollbackHold(
        record=record,
        path=rollback_path(record.command_id, record.tool_name),
        why_held=why if record.hold_reason is None else hold_text(record.hold_reason),
        rule=rule,
        evidence=evidence,
        bars=bars_of(record),
        cost="not known" if cost is None else cost_text(cost),
    )


def told_to_wait(events: Sequence[Event], tool: str | None) -> list[OnlyTold]:
    """Return what waits by these events, the newest first: what has no later outcome."""
    seen: set[tuple[str, str]] = set()
    found = []
    for event in events:
        outcome: RollbackOutcome | DeploymentOutcome
        if event.place[0] == "rollbacks":
            outcome = RollbackOutcome.from_bytes(event.data)
            key, what = str(outcome.command_id), "a rollback"
        else:
            outcome = DeploymentOutcome.from_bytes(event.data)
            key, what = str(outcome.deployment_id), "a deployment"
        is_newest = (outcome.tool_name, key) not in seen
        seen.add((outcome.tool_name, key))
        if is_newest and outcome.status == "held" and tool in (None, outcome.tool_name):
            found.append(OnlyTold(outcome.tool_name, what, outcome.applied_at))
    return found
