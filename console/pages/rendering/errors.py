"""An error: a page for somebody who reads in a browser, problem details for a program."""

from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Scope

from console.admission.paths import LOGIN, is_page, own_path
from console.admission.refused import Refused
from console.api.problems import problem
from console.pages.rendering.answers import page

_MEANINGS: Final = {
    401: "You are not logged in, or your session is over.",
    403: "You may not do this.",
    404: "There is nothing here.",
    405: "This address cannot be used like that.",
    422: "Something in the address or in the form is wrong.",
    500: "The console has a fault.",
    503: "A part of the system does not answer now.",
}


def refusal(scope: Scope, refused: Refused) -> Response:
    """Return the answer to a request that is refused. Who must log in is led to where that is."""
    headers = refused.headers
    if refused.status == HTTPStatus.UNAUTHORIZED:
        headers = {"WWW-Authenticate": "Bearer"} | headers
        if wants_page(scope) and scope["method"] == "GET":
            return _to_login(scope)
    return error_answer(scope, refused.status, refused.detail, None, headers)


def error_answer(
    scope: Scope,
    status: int,
    detail: str,
    kind: str | None = None,
    headers: dict[str, str] | None = None,
    **more: Any,
) -> Response:
    """Return an error as a page or as problem details; ``more`` are members of the latter."""
    if not wants_page(scope):
        return problem(status, detail, kind, headers, **more)
    answer = page(
        Request(scope),
        "error.html",
        status,
        title=HTTPStatus(status).phrase,
        meaning=_MEANINGS.get(status, ""),
        detail=detail,
        status=status,
    )
    answer.headers.update(headers or {})
    return answer


def wants_page(scope: Scope) -> bool:
    """Return whether a browser asks for a page."""
    return is_page(scope["path"]) and "text/html" in Headers(scope=scope).get("Accept", "")


def _to_login(scope: Scope) -> Response:
    """Return the way to the page on which people log in, and back from there."""
    headers = Headers(scope=scope)
    query = scope.get("query_string", b"").decode("latin-1")
    wanted = own_path(f"{scope['path']}?{query}" if query else scope["path"])
    to = LOGIN if wanted == "/" else f"{LOGIN}?next={quote(wanted, safe='')}"
    if "HX-Request" in headers:  # it would put the form where the numbers of a page are
        return Response(None, HTTPStatus.UNAUTHORIZED, {"HX-Redirect": to})
    return RedirectResponse(to, 303, {"Cache-Control": "no-store"})
