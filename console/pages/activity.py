"""The page *activity*: what happens, as it happens; without a script the newest list."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from pydantic import BeforeValidator
from starlette.responses import Response

from console.api.parameters import ServicesHere
from console.events.event import Event, Kind
from console.pages.filters import ToolFilter, address
from console.pages.rendering.answers import page
from console.pages.rendering.texts import version_name
from console.pages.rollbacks import rollback_path
from console.pages.system import outage_of
from console.questions.system import outages_now
from rollguard.refusal import refusal_text
from schemas.deployment import DeploymentOutcome
from schemas.rollback import RollbackOutcome

router: Final = APIRouter()
PATH: Final = "/activity"
_MOST: Final = 100
_STREAM: Final = "/api/v1/events"
_LONGEST: Final = 4_000
KINDS: Final[Sequence[Kind]] = ("rollback", "deployment", "hold")


@dataclass(frozen=True)
class Happening:
    """One event on one line."""

    id: str
    kind: Kind
    at: datetime
    tool_name: str
    state: str
    text: str
    path: str | None
    """The page that says more."""


@router.get(PATH)
async def activity_page(
    request: Request,
    services: ServicesHere,
    tool: ToolFilter = None,
    kind: Annotated[
        Kind | None, BeforeValidator(lambda given: None if given == "" else given), Query()
    ] = None,
) -> Response:
    """List the newest events; a script asks for the list again when something happens."""
    notes: list[str] = []
    feed = services.feed
    outages = await outages_now(services, notes)
    if feed.as_of is None:
        notes.insert(0, "The events were not read yet: Kafka does not answer")
    return page(
        request,
        "activity.html",
        rows=list(islice(happenings(feed.newest(), tool, kind), _MOST)),
        outages=[outage_of(each) for each in outages or ()],
        kinds=KINDS,
        tool=tool,
        kind=kind,
        stream=stream_of(feed.position if feed.as_of else ""),
        as_of=feed.as_of,
        notes=notes,
    )


def stream_of(position: str) -> str:
    """Return the address of the stream of events after a position.

    Of very many partitions the position is too long for an address: then the list, which is asked
    for anew every few seconds, has what the stream leaves out.
    """
    if not position or len(position) > _LONGEST:
        return _STREAM
    return f"{_STREAM}?after={quote(position)}"


def happenings(events: Iterable[Event], tool: str | None, kind: Kind | None) -> Iterator[Happening]:
    """Yield the events that are wanted on one line each, in their order.

    No more are read than are asked for: an event may have an explanation of 16 KiB.
    """
    named = None if tool is None else json.dumps(tool, ensure_ascii=False).encode()
    for event in events:
        if kind not in (None, event.kind) or (named is not None and named not in event.data):
            continue
        happening = _happening(event)
        if tool in (None, happening.tool_name):
            yield happening


def _happening(event: Event) -> Happening:
    source, partition = event.place
    place: dict[str, Any] = {"id": f"{source}-{partition}-{event.offset}", "kind": event.kind}
    if source == "rollbacks":
        outcome = RollbackOutcome.from_bytes(event.data)
        return Happening(
            **place,
            at=outcome.applied_at,
            tool_name=outcome.tool_name,
            state=outcome.status,
            text=_rollback_text(outcome),
            path=rollback_path(outcome.command_id, outcome.tool_name),
        )
    deployed = DeploymentOutcome.from_bytes(event.data)
    return Happening(
        **place,
        at=deployed.applied_at,
        tool_name=deployed.tool_name,
        state="rejected" if deployed.status == "refused" else deployed.status,
        text=_deployment_text(deployed),
        path=address("/holds", tool=deployed.tool_name) if deployed.status == "held" else None,
    )


def _rollback_text(outcome: RollbackOutcome) -> str:
    target = version_name(outcome.to_version_number)
    why = f"{outcome.reason}, {outcome.tier}"
    match outcome.status:
        case "applied":
            return f"rolled back to {target} ({why})"
        case "held":
            return f"a rollback to {target} waits for a person ({why})"
        case "observed":
            return f"would have been rolled back to {target}: a dry run ({why})"
        case _:
            return f"not rolled back: {str(outcome.rejection).replace('_', ' ')} ({why})"


def _deployment_text(outcome: DeploymentOutcome) -> str:
    match outcome.status:
        case "created":
            breaks = ", which breaks calls" if outcome.is_breaking_change else ""
            return f"{version_name(outcome.version_number)} is current{breaks}"
        case "unchanged":
            return f"deployed again: it is the code of {version_name(outcome.version_number)}"
        case "held":
            return "a deployment waits for a person"
        case _:
            return f"a deployment was refused: {refusal_text(outcome)}"
