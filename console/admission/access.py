"""Who may ask the console: by which name, as whom, and from which page."""

import hmac
from time import time
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from agents.worker.http.access import is_called_rightly
from console.admission.admissions import Admissions, address_of
from console.admission.origins import is_from_own_page
from console.admission.paths import FOR_VIEWERS, is_open, is_page
from console.admission.refused import NEEDS_TOKEN, Refused
from console.admission.visitor import BY, Visitor, admit
from console.pages.rendering.errors import refusal
from rollguard.login_name import login_name
from schemas.settings import Settings

_READING: Final = ("GET", "HEAD", "OPTIONS")
_CSRF_HEADER: Final = "X-CSRF-Token"
_MAY_READ: Final = "this token may read, and change nothing (ROLLGUARD_WEB_VIEWER_TOKEN)"
_IS_VIEWER: Final = "who is logged in as a viewer may read, and change nothing"
_FOREIGN_PAGE: Final = "a page of somebody else may change nothing: its Origin is not the console's"


class Access:
    """Lets a request through if it may be answered, and answers it with a problem otherwise.

    Without a token only who calls this machine by a loopback name may ask, and a page in a browser
    may change something only if it is the console's own: it says in the header ``Origin`` where it
    comes from. (What is no browser sends no such header.) With a token, a request carries it, or
    the cookie of a session.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._known = Admissions.of(settings)
        addresses = (settings.web_url, settings.console_url)
        own = (urlsplit(each).hostname or "" for each in addresses if each is not None)
        self._names = {*own, *map(str.lower, settings.web_allowed_hosts)}
        self._user = login_name() or BY

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        scope["state"] = {"admissions": self._known}
        try:
            self._require_right_name(scope, headers)
            visitor = self._visitor(scope, headers)
            if visitor is not None:
                admit(scope, visitor)
            elif not is_open(scope["path"]):
                raise Refused(401, NEEDS_TOKEN)
            if scope["method"] not in _READING:
                self._require_right_to_change(scope, headers, visitor)
        except Refused as refused:
            await refusal(scope, refused)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _require_right_name(self, scope: Scope, headers: Headers) -> None:
        given = headers.getlist("Host")
        if not given and scope["http_version"] == "1.0":
            return  # no browser, but the check of a load balancer
        reached = str((scope.get("server") or ("",))[0])
        only_loopback = not self._known.tokens.are_set
        if not is_called_rightly(given, self._names, reached, only_loopback=only_loopback):
            raise Refused(421, "not a name of the console: list it in ROLLGUARD_WEB_ALLOWED_HOSTS")

    def _visitor(self, scope: Scope, headers: Headers) -> Visitor | None:
        """Return who asks; None if nobody says it. Refused for a wrong token."""
        sessions = self._known.sessions
        cookie = self._known.cookies.read(headers, "session")
        if not self._known.tokens.are_set:
            named = sessions.visitor(cookie, time()) if cookie else None
            if named is not None:
                return named._replace(admission="open")
            return sessions.without_cookie(self._user, "operator", "open")
        address = address_of(HTTPConnection(scope))
        user = self._known.proxy.user(headers, address)
        if user is not None:
            return sessions.without_cookie(user.name, user.role, "proxy")
        authorization = headers.get("Authorization", "")
        # Another scheme is for a proxy that has asked for a password of its own.
        if authorization.lower().startswith("bearer") and not is_open(scope["path"]):
            role = self._known.tokens.role_of(authorization, address)
            if role is None:
                raise Refused(401, NEEDS_TOKEN)
            return sessions.without_cookie(BY, role, "token")
        return sessions.visitor(cookie, time()) if cookie else None

    def _require_right_to_change(
        self, scope: Scope, headers: Headers, visitor: Visitor | None
    ) -> None:
        """Raise Refused unless this visitor may change something, and does it from a page of ours.

        A browser sends cookies also if a page of somebody else asks for it. So a form carries a
        proof (see ``console.admission.forms``), and a script sends it to the API as a header.
        """
        if visitor is not None and visitor.admission == "token":
            if not visitor.may_change:
                raise Refused(403, _MAY_READ)
            return
        if not is_from_own_page(headers, self._names if self._known.tokens.are_set else ()):
            raise Refused(403, _FOREIGN_PAGE)
        if visitor is None:
            return
        if not visitor.may_change and scope["path"] not in FOR_VIEWERS:
            raise Refused(403, _IS_VIEWER)
        if is_page(scope["path"]) or visitor.admission == "open":
            return
        given = headers.get(_CSRF_HEADER, "").encode("latin-1")
        if not hmac.compare_digest(given, visitor.csrf.encode()):
            raise Refused(403, f"a session changes something only with the header {_CSRF_HEADER}")
