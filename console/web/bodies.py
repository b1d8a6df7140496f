"""Limits on the bodies of requests: how large one is, how long it takes, and how many there are."""

import asyncio
from contextlib import suppress
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from console.pages.rendering.errors import error_answer
from schemas.message import MAX_RECORD_BYTES

MAX_BODY_BYTES: Final = MAX_RECORD_BYTES
"""The largest body, in bytes. It is that of the largest record: no change needs more."""
BODY_S: Final = 30.0
"""How long a body may take to arrive."""
_DISCARD_BYTES: Final = 4 * MAX_BODY_BYTES
_DISCARD_S: Final = 5.0
_AT_ONCE: Final = 16
"""How many requests with a body are handled at once; the others wait."""


class TooLarge(Exception):
    """A body has more bytes than it may have."""


class Disconnected(Exception):
    """The client went away before the body was there."""


class LimitedBodies:
    """Reads the whole body before the request is handed on, within the limits."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._handled = asyncio.Semaphore(_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on with its body."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        if _said_length(scope) > MAX_BODY_BYTES:
            await _refuse(scope, receive, send)
            return
        async with self._handled:
            try:
                async with asyncio.timeout(BODY_S):
                    body = await _read(receive, MAX_BODY_BYTES)
            except TooLarge:
                await _refuse(scope, receive, send)
            except TimeoutError:
                detail = f"the body did not arrive within {BODY_S:g} s"
                await error_answer(scope, 408, detail)(scope, receive, send)
            except Disconnected:
                return
            else:
                await self._app(scope, replayed(body, receive), send)


def _said_length(scope: Scope) -> int:
    """Return the length that the headers name; 0 if they name none."""
    text = Headers(scope=scope).get("Content-Length", "")
    return int(text) if text.isdecimal() and len(text) < 20 else 0


async def _read(receive: Receive, most: int, *, keep: bool = True) -> bytes:
    """Return a body of at most ``most`` bytes; nothing of it if it is not to be kept."""
    body, size = bytearray(), 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            raise TooLarge
        if keep:
            body += part
        if not message.get("more_body", False):
            return bytes(body)


def replayed(body: bytes, receive: Receive) -> Receive:
    """Return a function that gives the body once, and then what the connection says."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return messages.pop() if messages else await receive()

    return receive_again


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer after some more of the body has come.

    If the connection were closed before, the client could not read the answer.
    """
    with suppress(TimeoutError, TooLarge, Disconnected):
        async with asyncio.timeout(_DISCARD_S):
            await _read(receive, _DISCARD_BYTES, keep=False)
    detail = f"the body has more than {MAX_BODY_BYTES} bytes"
    await error_answer(scope, 413, detail)(scope, receive, send)
