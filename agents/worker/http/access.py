"""Who may ask a server of ours: the name that a request must call it by, and the token it needs."""

import hmac
import re
from collections.abc import Callable, Collection, Sequence
from ipaddress import ip_address
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from pydantic import SecretStr

OPEN: Final = frozenset({"/healthz", "/readyz"})
"""Paths that need no token, because the supervisor of a worker has none."""
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/@\[\]]+)(?::\d{1,5})?")


def is_loopback(host: str) -> bool:
    """Return whether a name or an address is that of this machine for itself alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def host_check(own_names: Callable[[], Collection[str]]) -> Middleware:
    """Return a middleware that refuses a request to a name that is not ours.

    See ``is_called_rightly``.
    """

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.getall("Host", [])
        if not given and request.version < (1, 1):
            return await handler(request)  # no browser, but the check of a load balancer
        if is_called_rightly(given, own_names(), _reached(request)):
            return await handler(request)
        return web.json_response(
            {"error": "not a name of this worker: list it in ROLLGUARD_WEB_ALLOWED_HOSTS"},
            status=421,
        )

    return check


def is_called_rightly(
    given: Sequence[str], own_names: Collection[str], reached: str, *, only_loopback: bool = False
) -> bool:
    """Return whether the headers ``Host`` of a request call this server by a name of its own.

    A browser sends the name from the address line. A page of an attacker may have a name that its
    owner lets point to this machine; then the page could read every answer. Ours are the loopback
    names, the address that the connection has ``reached``, and ``own_names`` in lower case. With
    ``only_loopback`` they are the first alone.
    """
    host = _host_in(given[0]) if len(given) == 1 else None
    if host is None:
        return False
    if is_loopback(host) or only_loopback:
        return is_loopback(host)
    return host in own_names or _is_address(host, reached)


class Token:
    """The token of the settings, if there is one."""

    def __init__(self, token: SecretStr | None) -> None:
        self._expected = None if token is None else token.get_secret_value().encode()

    @property
    def is_set(self) -> bool:
        """Whether there is a token."""
        return self._expected is not None

    def is_in(self, request: web.Request) -> bool:
        """Return whether there is a token and the request carries it."""
        return self.is_given(request.headers.get("Authorization", ""))

    def is_given(self, authorization: str) -> bool:
        """Return whether there is a token and this header ``Authorization`` has it."""
        if self._expected is None:
            return False
        scheme, _, given = authorization.partition(" ")
        is_right = hmac.compare_digest(given.encode("utf-8", "surrogateescape"), self._expected)
        return is_right and scheme.lower() == "bearer"


def token_check(
    token: Token, open_paths: Collection[str], also_admitted: Callable[[web.Request], bool]
) -> Middleware:
    """Return a middleware that lets a request through if it may be answered.

    It may if there is no token, if it carries the token, if its path is open, or if
    ``also_admitted`` says so.
    """

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        resource = request.match_info.route.resource  # the route that the router found for the path
        is_open = resource is not None and resource.canonical in open_paths
        if not token.is_set or is_open or token.is_in(request) or also_admitted(request):
            return await handler(request)
        return web.json_response(
            {"error": "a token is needed: Authorization: Bearer …"},
            status=401,
            headers={"WWW-Authenticate": "Bearer"},
        )

    return check


def _host_in(header: str) -> str | None:
    """Return the name or the address in a header ``Host``, in lower case; None if it has none."""
    found = _HOST.fullmatch(header)
    return None if found is None else found[1].strip("[]").lower()


def _reached(request: web.Request) -> str:
    """Return the address of this machine that the connection reached; "" if it is unknown."""
    name = None if request.transport is None else request.transport.get_extra_info("sockname")
    return str(name[0]) if isinstance(name, tuple) else ""


def _is_address(host: str, address: str) -> bool:
    """Return whether both are the same address, whatever they look like."""
    try:
        return ip_address(host) == ip_address(address.partition("%")[0])
    except ValueError:
        return False
