"""Executions: those of a tool as they were recorded, and publishing new ones."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from fastapi import APIRouter, Query, Request
from pydantic import TypeAdapter
from starlette.responses import Response

from console.api.answers import answered, done
from console.api.cursors import cursor_of, values_of
from console.api.documented import asked, changed
from console.api.models import Accepted, ExecutionList
from console.api.orders import NewVerdict
from console.api.parameters import (
    Cursor,
    ExecutionIdInPath,
    Limit,
    ServicesHere,
    ToolInPath,
)
from console.api.problems import ProblemError
from db.executions.queries import AfterExecution, ExecutionsWanted, executions_page
from rollguard.operations.verdicts import version_of
from rollguard.printing import data_of
from schemas.errors import Rejected
from schemas.execution import Execution
from schemas.fields import Time
from schemas.later_verdict import LaterVerdict
from schemas.message import parse_json

router: Final = APIRouter(tags=["executions"])
AFTER: Final[TypeAdapter[tuple[Time, UUID]]] = TypeAdapter(tuple[Time, UUID])
"""What a cursor of executions stands for: the last one of the page before."""
_RAW: Final = msgspec.json.Decoder(list[msgspec.Raw])


class _Kind(msgspec.Struct):
    """The kind of an entry of the log."""

    kind: object = None


_KIND: Final = msgspec.json.Decoder(_Kind)
_AT_ONCE: Final = 100
"""After so many executions the event loop may do something else."""
_JSON: Final = "application/json"
_LINES: Final = ("application/x-ndjson", "application/ndjson", "application/jsonl")
_EXAMPLE: Final = {
    "execution_id": "0b4c9bfa-1c8e-4b52-9a35-6f1df2f6a3de",
    "tool_name": "parser",
    "version_id": 7,
    "success": False,
    "error": "TypeError: missing argument 'limit'",
    "executed_at": "2026-01-31T12:00:00Z",
}
_BODY: Final = {
    "required": True,
    "content": {
        _JSON: {
            "schema": {
                "type": "array",
                "items": {"$ref": "#/components/schemas/Execution"},
            },
            "examples": {"one": {"value": [_EXAMPLE]}},
        },
        _LINES[0]: {
            "schema": {"type": "string", "description": "An execution on each line."},
            "examples": {"one": {"value": json.dumps(_EXAMPLE)}},
        },
    },
}


@router.get("/tools/{tool}/executions", response_model=ExecutionList, responses=asked())
async def executions(
    request: Request,
    services: ServicesHere,
    tool: ToolInPath,
    version_id: Annotated[
        int | None, Query(ge=1, le=2**31 - 1, description="Only of this version.")
    ] = None,
    success: Annotated[
        bool | None, Query(description="Only those that succeeded, or that failed.")
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """List the recorded executions of a tool, the newest first.

    With a filter a page looks at no more than 5,000 executions. So it may have few, or none,
    although `next_cursor` leads to more.
    """
    after = values_of(cursor, AFTER)
    async with services.postgres() as conn:
        found = await executions_page(
            conn,
            tool,
            ExecutionsWanted(version_id, success),
            None if after is None else AfterExecution(*after),
            limit,
        )
    following = found.next_after
    return answered(
        request,
        {
            "executions": [each.model_dump(mode="json") for each in found.executions],
            "next_cursor": None
            if following is None
            else cursor_of(following.executed_at.isoformat(), following.execution_id),
        },
    )


@router.post(
    "/executions",
    status_code=202,
    response_model=Accepted,
    responses=changed(),
    openapi_extra={"requestBody": _BODY},
)
async def publish(request: Request, services: ServicesHere) -> Response:
    """Publish executions, and later verdicts (`kind`): a JSON array, or one on each line (NDJSON).

    Each counts once, by its `execution_id`, however often it is sent: after 503 send all of them
    again. Those that are wrong are not published, and `rejected` says why.
    """
    good: list[Execution | LaterVerdict] = []
    rejected: list[dict[str, Any]] = []
    latest = datetime.now(UTC).timestamp() + services.settings.max_ahead_s
    for index, raw in enumerate(_each(request, await request.body())):
        try:
            good.append(_entry(raw, latest))
        except Rejected as error:
            rejected.append({"index": index, "error": str(error)})
        if index % _AT_ONCE == 0:
            await asyncio.sleep(0)
    if good:
        await (await services.client()).publish_executions(good)
    return done({"accepted": len(good), "rejected": rejected}, 202)


@router.post(
    "/tools/{tool}/executions/{execution_id}/verdicts",
    status_code=202,
    response_model=LaterVerdict,
    responses=changed(),
)
async def judge(
    services: ServicesHere, tool: ToolInPath, execution_id: ExecutionIdInPath, new: NewVerdict
) -> Response:
    """Say that the result of an execution that succeeded was bad, or that it was good.

    What the same person says of it again counts once. 422 without `version_id` if Postgres does not
    know the execution (yet).
    """
    ran = new.version_id
    if ran is None:
        async with services.postgres() as conn:
            ran = await version_of(conn, tool, execution_id)
    client = await services.client()
    said = await client.judge(tool, execution_id, ran, bad=new.bad, by=new.by, why=new.why)
    return done(data_of(said), 202)


def _each(request: Request, body: bytes) -> Iterator[bytes]:
    """Yield each execution as JSON. Raises ProblemError for another content type, or no array."""
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind in _LINES:
        return iter([line for line in body.split(b"\n") if line.strip()])
    if kind != _JSON:
        raise ProblemError(415, f"send {_JSON} (an array), or {_LINES[0]} (one on each line)")
    return _items(body)


def _items(body: bytes) -> Iterator[bytes]:
    """Yield the items of a JSON array as they were sent."""
    try:
        return iter([bytes(each) for each in _RAW.decode(body)])
    except msgspec.ValidationError:
        raise ProblemError(422, "body: not an array of executions") from None
    except (msgspec.DecodeError, RecursionError):
        pass  # it may be JSON that this parser refuses, such as a lone surrogate
    try:
        items = parse_json(body)
    except ValueError:
        raise ProblemError(400, "the body is not JSON") from None
    if not isinstance(items, list):
        raise ProblemError(422, "body: not an array of executions")
    return iter([json.dumps(each).encode() for each in items])


def _entry(raw: bytes, latest: float) -> Execution | LaterVerdict:
    """Return an execution or a verdict. Rejected says what is wrong with it."""
    if _kind_of(raw) == "verdict":
        verdict = LaterVerdict.from_bytes(raw)
        if verdict.judged_at.timestamp() > latest:
            raise Rejected("judged_at: it is too far ahead of the present time")
        return verdict
    execution = Execution.from_bytes(raw)
    if execution.executed_at.timestamp() > latest:
        raise Rejected("executed_at: it is too far ahead of the present time")
    return execution


def _kind_of(raw: bytes) -> object:
    """Return what the JSON says of its kind; None if it says nothing."""
    try:
        return _KIND.decode(raw).kind
    except (msgspec.MsgspecError, RecursionError):
        return None  # what reads it says what is wrong
