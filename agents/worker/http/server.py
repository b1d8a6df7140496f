"""The web server of a worker: where it listens, and how it says who answers."""

import asyncio
import logging
import socket
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from typing import Final

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler

from agents.worker.http.access import Token, host_check, is_loopback, token_check
from agents.worker.http.connections import LimitedConnections
from agents.worker.instance import own_instance
from schemas.configuration.web_address import host_of
from schemas.errors import Misconfigured
from schemas.identity import Identity
from schemas.settings import Settings

log = structlog.get_logger()


class _WithoutRequests(logging.Filter):
    """Removes bad requests from the log, because a logged header may contain the token."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], HttpProcessingError):
            record.exc_info, record.exc_text = None, None
        return True


_server_log: Final = logging.getLogger(f"{__name__}.server")
_server_log.addFilter(_WithoutRequests())

_NO_BODY: Final = 1024
"""How long a body may be where no endpoint takes one. aiohttp has no limit if it is 0."""
_YIELD_S: Final = 5.0
"""How long an applier or a recorder waits, so that a detector that starts now gets the port."""


def require_token(settings: Settings) -> None:
    """Raise Misconfigured if other machines can reach the endpoints and there is no token."""
    if settings.web_token is None and not is_loopback(settings.web_host):
        raise Misconfigured(
            f"ROLLGUARD_WEB_HOST {settings.web_host!r} is not loopback: set ROLLGUARD_WEB_TOKEN, "
            "which all endpoints except /healthz and /readyz then require"
        )


class WebServer:
    """Serves ``routes``. All except ``open_paths`` require the token, if there is one.

    A request that ``also_admitted`` lets through needs none either. ``max_body_bytes`` is the
    longest body that an endpoint reads, unpacked. Raises Misconfigured if other
    machines could use the endpoints without a token.
    """

    def __init__(
        self,
        role: str,
        settings: Settings,
        routes: Iterable[web.RouteDef],
        open_paths: Collection[str],
        also_admitted: Callable[[web.Request], bool],
        max_body_bytes: int = 0,
    ) -> None:
        require_token(settings)
        self._role = role
        self._settings = settings
        self.identity = Identity("", settings.topic_prefix, role, own_instance())
        """Who answers; it has no cluster before ``belongs_to`` is called."""
        site = web.Application(
            middlewares=[
                _close_after_answer,
                host_check(self._names),
                token_check(Token(settings.web_token), open_paths, also_admitted),
            ],
            client_max_size=max_body_bytes or _NO_BODY,
        )
        site.add_routes(routes)
        site.on_response_prepare.append(self._say_who_answers)
        self._runner = web.AppRunner(
            site,
            access_log=None,
            logger=_server_log,
            shutdown_timeout=1,
            lingering_time=0,  # the rest of a body that was refused is not waited for
        )
        self._listener: asyncio.Server | None = None
        self.url = ""
        """The address at which others reach this worker; "" until it listens."""

    def belongs_to(self, cluster_id: str) -> None:
        """Say in every answer from now on that this worker is of that cluster."""
        self.identity = replace(self.identity, cluster_id=cluster_id)

    def _names(self) -> set[str]:
        """Return the names by which others reach this worker, in lower case."""
        return {host_of(self.url) or "", *map(str.lower, self._settings.web_allowed_hosts)}

    async def _say_who_answers(self, _: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(self.identity.headers())

    async def listen(self) -> None:
        """Listen on the port of the role. Raises Misconfigured if that is not possible."""
        host, port = self._settings.web_host, self._settings.port_of(self._role)
        await self._runner.setup()
        try:
            self._listener = await asyncio.get_running_loop().create_server(
                LimitedConnections(self._connection), host, port, reuse_address=True
            )
        except OSError as error:
            raise Misconfigured(f"cannot listen on {host}:{port}: {error.strerror}") from None
        port = self._listener.sockets[0].getsockname()[1]
        reachable = socket.gethostname() if host in ("", "0.0.0.0", "::") else host  # noqa: S104
        if ":" in reachable:
            reachable = f"[{reachable}]"
        self.url = self._settings.web_url or f"http://{reachable}:{port}"
        log.info("listening", url=self.url)

    async def listen_if_free(self, started: asyncio.Event) -> None:
        """Listen; if the port is taken, log that and run without HTTP endpoints.

        The detector needs its port, because other detectors forward queries to it. The roles of a
        machine may share one ``ROLLGUARD_WEB_PORT``, from the time when only the detector had
        endpoints. Therefore, if that is set, the other roles listen only after they have started,
        or after a few seconds.
        """
        if self._settings.web_port:
            try:
                async with asyncio.timeout(_YIELD_S):
                    await started.wait()
            except TimeoutError:
                pass
        try:
            await self.listen()
        except Misconfigured as error:
            log.warning("http_disabled", port=self._settings.port_of(self._role), cause=str(error))

    async def stop(self) -> None:
        """Close the port and the connections."""
        if self._listener is not None:
            self._listener.close()
        await self._runner.cleanup()

    def _connection(self) -> asyncio.Protocol:
        """Return a handler for one connection."""
        assert self._runner.server is not None
        return self._runner.server()


@web.middleware
async def _close_after_answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Close the connection after each answer, so that nobody keeps one without asking anything."""
    try:
        answer = await handler(request)
    except web.HTTPException as error:
        error.force_close()
        raise
    answer.force_close()
    return answer
