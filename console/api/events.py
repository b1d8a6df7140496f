"""The stream of events (Server-Sent Events)."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query
from starlette.responses import Response, StreamingResponse

from console.api.documented import asked
from console.api.parameters import ServicesHere
from console.api.problems import ProblemError
from console.events.positions import MAX_TEXT, Positions

router: Final = APIRouter(tags=["events"])
_MEDIA_TYPE: Final = "text/event-stream"
_EXAMPLE: Final = (
    "event: rollback\n"
    'data: {"command_id":"8c0d3e9e-6f0b-4c55-9d0e-3a1f5b7a9c11","tool_name":"parser",'
    '"status":"applied","from_version_id":7,"to_version_id":5,"to_version_number":1,'
    '"reason":"signature_change","tier":"immediate","applied_at":"2026-01-31T12:00:00Z"}\n'
    "id: r4.0.17.3-d9.2.0.5\n\n"
)
_STREAM: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Events without end. `rollback` and `deployment` have a RollbackOutcome and "
        "a DeploymentOutcome as their data; `hold` has either of them if it waits for a person; "
        "`outage` has `status` (`began` or `over`), `partition`, `since`, `tools` and `failing`.",
        "content": {_MEDIA_TYPE: {"schema": {"type": "string"}, "example": _EXAMPLE}},
    },
}


@router.get(
    "/events",
    response_class=StreamingResponse,
    responses={status: answer for status, answer in (asked() | _STREAM).items() if status != 304},
)
async def events(
    services: ServicesHere,
    last_event_id: Annotated[
        str | None,
        Header(
            alias="Last-Event-ID",
            max_length=MAX_TEXT,
            description="The id of the last event that was read: the stream resumes after it.",
        ),
    ] = None,
    after: Annotated[
        str | None,
        Query(
            max_length=MAX_TEXT,
            description="The same, for who cannot send the header: a browser, at first. The header "
            "goes before it.",
        ),
    ] = None,
) -> Response:
    """Follow what happens, from now on, or from the last event that was read.

    Each event comes at least once. Who reads too slowly is dropped, and may resume.
    """
    last = None
    for name, given in (("Last-Event-ID", last_event_id), ("after", after)):
        if given and last is None:
            try:
                last = Positions.parse(given)
            except ValueError:
                raise ProblemError(422, f"{name}: not the id of an event") from None
    services.feed.require_room()
    return StreamingResponse(
        services.feed.stream(last),
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        media_type=_MEDIA_TYPE,
    )
