"""Forms of the pages: each proves that a page of ours was sent to this visitor."""

import hmac
from typing import Final
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from console.admission.paths import LOGIN, is_page
from console.admission.refused import Refused
from console.admission.visitor import Visitor
from console.pages.rendering.errors import refusal
from console.web.bodies import replayed

CSRF_FIELD: Final = "csrf"
_TYPE: Final = "application/x-www-form-urlencoded"
_MAX_BYTES: Final = 256 * 1024
_MAX_FIELDS: Final = 100


class CheckedForms:
    """Hands a form on if it has the field ``csrf`` of who sends it.

    It stands before all routes, so that no route can forget it. The form of the login has no
    visitor yet; its ``Origin`` was checked. ``LimitedBodies`` has read the body.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] != "http" or scope["method"] != "POST" or not is_page(scope["path"]):
            await self._app(scope, receive, send)
            return
        body = (await receive())["body"]
        try:
            _require_form(scope, body)
        except Refused as refused:
            await refusal(scope, refused)(scope, receive, send)
        else:
            await self._app(scope, replayed(body, receive), send)


def _require_form(scope: Scope, body: bytes) -> None:
    """Raise Refused unless this is a form, and one of a page of ours."""
    kind = Headers(scope=scope).get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != _TYPE:
        raise Refused(415, f"a form is sent as {_TYPE}")
    if len(body) > _MAX_BYTES:
        raise Refused(413, f"a form has at most {_MAX_BYTES} bytes")
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise Refused(422, "this is not a form") from None
    visitor: Visitor | None = scope["state"].get("visitor")
    if scope["path"] == LOGIN or (visitor is not None and visitor.admission == "token"):
        return
    given = [value for name, value in fields if name == CSRF_FIELD]
    if visitor is None or len(given) != 1 or not _is_same(given[0], visitor.csrf):
        detail = "the page with this form is older than your session: load it anew, and try again"
        raise Refused(403, detail)


def _is_same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())
