"""Limits on the connections of a server: how many there are, and how long each may last.

aiohttp keeps a connection that sends half of a request, or that does not read its answer, for as
long as the other side likes. So we stand between the socket and aiohttp: if a request is not there
in time, or if there are too many connections, the one that has waited longest is aborted.
"""

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from typing import Final, cast

MAX_CONNECTIONS: Final = 100
"""A worker has few who ask: a supervisor, a Prometheus, some people, the other detectors."""
HEAD_S: Final = 5.0
"""How long the line and the headers of a request may take."""
WHOLE_S: Final = 60.0
"""How long a connection may last. Each carries one request (``server.py``)."""
_END_OF_HEAD: Final = b"\r\n\r\n"


class LimitedConnections:
    """Makes the protocols of a server: call it for each connection that is accepted.

    ``make_protocol`` makes those that handle the connections. At most ``most`` of them are open, by
    default ``MAX_CONNECTIONS``.
    """

    def __init__(
        self, make_protocol: Callable[[], asyncio.Protocol], most: int | None = None
    ) -> None:
        self._make_protocol = make_protocol
        self._most = MAX_CONNECTIONS if most is None else most
        self._open: dict[LimitedConnection, None] = {}
        """The open connections, the oldest first."""

    def __call__(self) -> asyncio.Protocol:
        """Return the protocol of a new connection."""
        return LimitedConnection(self._make_protocol(), self._open, self._most)


class LimitedConnection(asyncio.Protocol):
    """One connection: hands everything on, and watches the time."""

    def __init__(
        self, inner: asyncio.Protocol, others: "dict[LimitedConnection, None]", most: int
    ) -> None:
        self._inner = inner
        self._others = others
        self._most = most
        self._transport: asyncio.WriteTransport | None = None
        self._timers: list[asyncio.TimerHandle] = []
        self._end_of_data = b""
        self.has_head = False
        """Whether the line and the headers of the request have arrived."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, and abort another connection if there are too many."""
        self._transport = cast(asyncio.WriteTransport, transport)  # one of uvloop
        self._others[self] = None
        if len(self._others) > self._most:
            waiting = (each for each in self._others if not each.has_head)
            next(waiting, next(iter(self._others))).abort()
        loop = asyncio.get_running_loop()
        self._timers += [
            loop.call_later(HEAD_S, self._require_head),
            loop.call_later(WHOLE_S, self.abort),
        ]
        self._inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._others.pop(self, None)
        for timer in self._timers:
            timer.cancel()
        self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Hand on what has arrived."""
        if not self.has_head:
            self.has_head = _END_OF_HEAD in self._end_of_data + data
            self._end_of_data = (self._end_of_data + data)[-len(_END_OF_HEAD) + 1 :]
        token = _current.set(self)
        try:
            self._inner.data_received(data)
        finally:
            _current.reset(token)

    def eof_received(self) -> bool | None:
        """Hand on that nothing more will arrive."""
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        """Hand on that the other side does not read."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Hand on that the other side reads again."""
        self._inner.resume_writing()

    def may_last(self) -> None:
        """Let the connection last for as long as both sides like: its answer is a stream."""
        for timer in self._timers:
            timer.cancel()

    def abort(self) -> None:
        """Close the connection at once; what was not sent is lost."""
        self._others.pop(self, None)
        assert self._transport is not None
        self._transport.abort()

    def _require_head(self) -> None:
        if not self.has_head:
            self.abort()


_current: ContextVar[LimitedConnection | None] = ContextVar("connection", default=None)


def current_connection() -> LimitedConnection | None:
    """Return the connection that the request of the running task came by; None outside of one."""
    return _current.get()
