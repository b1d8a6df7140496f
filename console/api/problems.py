"""Every error of the API as problem details (RFC 9457)."""

import json
from http import HTTPStatus
from typing import Any, Final

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.responses import Response

from console.web.requests import has_head
from schemas.errors import Misconfigured, Missing, Rejected, Retryable, RollguardError

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_S: Final = 2
"""After how many seconds somebody who got 503 should ask again."""


class WrongField(BaseModel):
    """A part of the request that is wrong."""

    field: str
    """Where it is: ``query.limit``, ``body.code``."""
    error: str


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    model_config = ConfigDict(
        use_attribute_docstrings=True,
        json_schema_extra={
            "examples": [
                {
                    "type": "about:blank",
                    "title": "Not Found",
                    "status": 404,
                    "detail": "'parser' has no versions; `rollguard deploy` makes the first one",
                }
            ]
        },
    )

    type: str
    """``about:blank``, or what kind of problem it is: ``urn:rollguard:problem:…``."""
    title: str
    status: int
    """The status of the answer."""
    detail: str
    """What is wrong, for a person."""
    part: str | None = None
    """Of 503: the part that does not answer: `Kafka`, `Postgres`, or a role."""
    errors: list[WrongField] | None = None
    """Of 422: every part of the request that is wrong."""
    outcome: dict[str, Any] | None = None
    """Of 409: the outcome of a deployment or a rollback that changed nothing."""
    known: dict[str, Any] | None = None
    """Of 503 for the health of a tool: what Postgres knows of it."""


class ProblemError(Exception):
    """A problem as an exception; it becomes the answer."""

    def __init__(self, status: int, detail: str, kind: str | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.kind = kind
        self.headers: dict[str, str] = {}
        self.more = more


def problem(
    status: int,
    detail: str,
    kind: str | None = None,
    headers: dict[str, str] | None = None,
    **more: Any,
) -> Response:
    """Return an answer with problem details; ``more`` are further members."""
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers = {"Retry-After": str(RETRY_AFTER_S)} | (headers or {})
    return Response(problem_bytes(status, detail, kind, **more), status, headers, MEDIA_TYPE)


def problem_bytes(status: int, detail: str, kind: str | None = None, **more: Any) -> bytes:
    """Return problem details as JSON."""
    members = {
        "type": "about:blank" if kind is None else f"urn:rollguard:problem:{kind}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    return json.dumps(members | more).encode()


def of_rollguard(error: RollguardError) -> ProblemError:
    """Return the problem that an error of Rollguard's own is."""
    if isinstance(error, Missing):
        return ProblemError(HTTPStatus.NOT_FOUND, str(error))
    if isinstance(error, Rejected):
        return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
    if isinstance(error, Retryable):
        unavailable = HTTPStatus.SERVICE_UNAVAILABLE
        return ProblemError(unavailable, str(error), "unavailable", part=error.part)
    assert isinstance(error, Misconfigured)
    return ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, str(error), "misconfigured")


def of_wrong_request(error: RequestValidationError) -> ProblemError:
    """Return the problem of a request whose parameters or body are wrong."""
    found = error.errors()
    if any(each["type"] == "json_invalid" for each in found):
        return ProblemError(HTTPStatus.BAD_REQUEST, "the body is not JSON")
    if any(each["loc"] == ("body",) and isinstance(each["input"], bytes) for each in found):
        # It is left as it was sent if its content type is another one.
        return ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send application/json")
    errors = [
        {"field": ".".join(map(_shown, each["loc"])), "error": str(each["msg"])} for each in found
    ]
    detail = "; ".join(f"{each['field']}: {each['error']}" for each in errors)
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=errors)


def of_http(request: Request, error: HTTPException) -> ProblemError:
    """Return the problem of an error that the framework raises, such as 404 and 405."""
    headers, detail, kind = dict(error.headers or {}), error.detail, None
    if error.status_code == HTTPStatus.NOT_FOUND:
        detail, kind = f"there is nothing at {request.scope['path']}", "no-such-path"
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = ", ".join(_methods_of(request))
        headers["Allow"] = allowed
        detail = f"{request.method} is not allowed here, but {allowed}"
    found = ProblemError(error.status_code, detail, kind)
    found.headers = headers
    return found


def _methods_of(request: Request) -> list[str]:
    """Return the methods that the path of this request allows."""
    path = request.scope["path"]
    methods = {
        method
        for route in iter_route_contexts(request.app.routes)
        if route.path_regex.fullmatch(path)
        for method in route.methods or ()
    }
    return sorted(methods | ({"HEAD"} if "GET" in methods and has_head(path) else set()))


def _shown(part: object) -> str:
    """Return a part of the path to a wrong value; a name that a client chose is cut."""
    return str(part)[:100]
