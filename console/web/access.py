"""Who may ask the console: by which name, with which token, and from which page."""

from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from agents.worker.http.access import Token, is_called_rightly
from agents.worker.http.health_pages import OPEN
from console.api.problems import send_problem
from schemas.configuration.web_address import host_of
from schemas.settings import Settings

_READING: Final = ("GET", "HEAD", "OPTIONS")


class Access:
    """Lets a request through if it may be answered, and answers it with a problem otherwise.

    Without a token only who calls this machine by a loopback name may ask, and a page in a browser
    may change something only if it is the console's own: it says in the header ``Origin`` where it
    comes from. (What is no browser sends no such header.)
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._token = Token(settings.web_token)
        self._viewer = Token(settings.web_viewer_token)
        given = () if settings.web_url is None else (host_of(settings.web_url) or "",)
        self._names = {*given, *map(str.lower, settings.web_allowed_hosts)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if not self._is_called_rightly(scope, headers):
            detail = "not a name of the console: list it in ROLLGUARD_WEB_ALLOWED_HOSTS"
            await send_problem(scope, receive, send, 421, detail)
        elif scope["path"] in OPEN:
            await self._app(scope, receive, send)
        elif self._token.is_set:
            await self._with_token(scope, receive, send, headers.get("Authorization", ""))
        elif scope["method"] not in _READING and not _is_from_own_page(headers):
            detail = "a page of somebody else may change nothing: its Origin is not the console's"
            await send_problem(scope, receive, send, 403, detail)
        else:
            await self._app(scope, receive, send)

    def _is_called_rightly(self, scope: Scope, headers: Headers) -> bool:
        given = headers.getlist("Host")
        if not given and scope["http_version"] == "1.0":
            return True  # no browser, but the check of a load balancer
        reached = str((scope.get("server") or ("",))[0])
        only_loopback = not self._token.is_set
        return is_called_rightly(given, self._names, reached, only_loopback=only_loopback)

    async def _with_token(
        self, scope: Scope, receive: Receive, send: Send, authorization: str
    ) -> None:
        if self._token.is_given(authorization):
            await self._app(scope, receive, send)
        elif not self._viewer.is_given(authorization):
            detail = "a token is needed: Authorization: Bearer …"
            await send_problem(scope, receive, send, 401, detail, WWW_Authenticate="Bearer")
        elif scope["method"] in _READING:
            await self._app(scope, receive, send)
        else:
            detail = "this token may read, and change nothing (ROLLGUARD_WEB_VIEWER_TOKEN)"
            await send_problem(scope, receive, send, 403, detail)


def _is_from_own_page(headers: Headers) -> bool:
    """Return whether the request comes from a page of the console, or from no page at all."""
    return all(_is_of(origin, headers["Host"]) for origin in headers.getlist("Origin"))


def _is_of(origin: str, host: str) -> bool:
    """Return whether an origin (``http://127.0.0.1:6069``) is that of a header ``Host``."""
    try:
        theirs, ours = urlsplit(origin).netloc.lower(), host.lower()
    except ValueError:
        return False
    return theirs.removesuffix(":80") == ours.removesuffix(":80")
