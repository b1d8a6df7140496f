"""The server of the console: where it listens, and the limits of its connections."""

import asyncio
import logging
import resource
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import h11
import structlog
import uvicorn
import uvloop
from uvicorn.protocols.http.h11_impl import H11Protocol

from agents.worker.garbage import make_garbage_collection_rare
from agents.worker.http.connections import LimitedConnections
from agents.worker.http.server import require_token
from agents.worker.logs import configure_logs
from console.api.problems import MEDIA_TYPE, problem_bytes
from console.app import create_app
from console.pages.rendering.environment import compile_templates
from console.services import Services
from console.web.metrics import watch_services
from schemas.errors import Misconfigured, Retryable
from schemas.printable import printable
from schemas.settings import Settings

log = structlog.get_logger()

MAX_CONNECTIONS: Final = 1_000
"""How many connections are open at once; half of them may be streams of events."""
MAX_HEAD_BYTES: Final = 16 * 1024
"""How large the line and the headers of a request may be."""
_FILES: Final = 4_096
_FINISH_S: Final = 2
"""How long answers may take after the console was told to stop."""


def run_console(settings: Settings) -> int:
    """Serve the console until SIGTERM or SIGINT, and return the exit code of the process."""
    configure_logs(settings, "console")
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # it warns of each bad request
    try:
        require_token(settings)
        _allow_files()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(settings))
    except (Misconfigured, Retryable) as error:
        print(f"rollguard console: {printable(str(error))}", file=sys.stderr)
        return 1
    return 0


async def serve(settings: Settings) -> None:
    """Serve the console until SIGTERM or SIGINT. Raises Misconfigured if it cannot listen."""
    with _listening(settings) as listener:
        async with Services.opened(settings) as services:
            server = _Server(_config(services))
            compile_templates()
            make_garbage_collection_rare()
            loop = asyncio.get_running_loop()

            def stop() -> None:
                services.feed.close()  # or its streams would keep the server
                server.should_exit = True

            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, stop)
            host, port = listener.getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            log.info("listening", url=settings.web_url or f"http://{shown}:{port}")
            await server.serve(sockets=[listener])
    log.info("stopped")


class _Server(uvicorn.Server):
    """A server that leaves the signals to us: it would raise them again when it has stopped."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Protocol(H11Protocol):
    """Answers with problem details, also what is no HTTP."""

    def send_400_response(self, msg: str) -> None:
        if self.conn.our_state is not h11.IDLE and self.conn.our_state is not h11.SEND_RESPONSE:
            self.transport.abort()
            return
        body = problem_bytes(400, f"not a request of HTTP/1.1, or more than {MAX_HEAD_BYTES} bytes")
        headers = [("Content-Type", MEDIA_TYPE), ("Connection", "close")]
        headers.append(("Content-Length", str(len(body))))
        for event in (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


def _config(services: Services) -> uvicorn.Config:
    connections: LimitedConnections | None = None

    def protocol(**made_with: Any) -> asyncio.Protocol:
        nonlocal connections
        if connections is None:
            connections = LimitedConnections(lambda: _Protocol(**made_with), MAX_CONNECTIONS)
        return connections()

    app = create_app(services)
    watch_services(app.state.registry, services)
    return uvicorn.Config(
        app,
        http=protocol,  # type: ignore[arg-type]  # it wants a class, and calls it like this
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        timeout_graceful_shutdown=_FINISH_S,
    )


@contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    """Yield the socket on which the console listens. Raises Misconfigured."""
    host, port = settings.web_host, settings.port_of("console")
    try:
        family = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        raise Misconfigured(f"cannot listen on {host}:{port}: {error.strerror}") from None
    with listener:
        yield listener


def _allow_files() -> None:
    """Allow as many open files as there may be connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
