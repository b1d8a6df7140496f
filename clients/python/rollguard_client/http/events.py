"""The stream of events of a console (Server-Sent Events), which is resumed when it breaks."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, suppress
from http.client import HTTPException, HTTPResponse
from typing import Any, Final, NamedTuple

from rollguard_client.errors import Retryable
from rollguard_client.http.console import Console
from rollguard_client.http.problems import no_console, other_version
from rollguard_client.http.where import console_of

SILENCE_S: Final = 45.0
"""After so long without a byte a stream is taken for broken; a console sends one every 15 s."""
_PAUSES_S: Final = (0.5, 1.0, 2.0, 5.0, 10.0)
_MAX_LINE: Final = 16 * 1024 * 1024
_AHEAD: Final = 256
"""How many events are read before they are taken."""


class Event(NamedTuple):
    """Something that happened."""

    kind: str
    """``rollback``, ``deployment``, ``hold``, ``outage``, or what a newer console sends."""
    data: dict[str, Any]
    """The outcome, as the API has it."""
    id: str | None
    """Where to resume after it; None for an outage, which is told again while it lasts."""


def follow(
    console: Console | None = None, last_id: str | None = None, *, gives_up: bool = False
) -> Iterator[Event]:
    """Yield events from now on, or after the one with ``last_id``, without end.

    If the stream breaks it is resumed, so each event comes at least once. Errors that another try
    may mend are tried again with pauses, unless ``gives_up``; others are raised. Without a
    ``console`` it is that of the settings.
    """
    yield from _followed(_Stream(console or console_of(), last_id), gives_up)


def _followed(stream: "_Stream", gives_up: bool) -> Iterator[Event]:
    """Yield the events of the streams of one listener until it is ended."""
    failures = 0
    while not stream.is_ended:
        try:
            for event in stream.events():
                failures = 0
                yield event
        except (Retryable, OSError, HTTPException) as error:
            if gives_up:
                raise _gone(stream.console, error) from error
        failures += 1
        time.sleep(_PAUSES_S[min(failures, len(_PAUSES_S)) - 1])


async def follow_events(
    console: Console | None = None, last_id: str | None = None
) -> AsyncIterator[Event]:
    """Yield events from now on, or after the one with ``last_id``, without end; see ``follow``."""
    loop, stream = asyncio.get_running_loop(), _Stream(console or console_of(), last_id)
    found: asyncio.Queue[Event | Exception] = asyncio.Queue()
    room = threading.Semaphore(_AHEAD)

    def read() -> None:
        last: Event | Exception
        try:
            for event in _followed(stream, gives_up=False):
                room.acquire()
                loop.call_soon_threadsafe(found.put_nowait, event)
            return
        except Exception as error:
            last = error
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(found.put_nowait, last)

    threading.Thread(target=read, name="rollguard-events", daemon=True).start()
    try:
        while True:
            event = await found.get()
            if isinstance(event, Exception):
                raise event
            yield event
            room.release()
    finally:
        stream.is_ended = True  # its thread ends with the next byte that comes
        room.release()


class _Stream:
    """The streams of one listener, one after the other."""

    def __init__(self, console: Console, last_id: str | None) -> None:
        self.console = console
        self._last_id = last_id
        """After which event it is resumed."""
        self.is_ended = False

    def events(self) -> Iterator[Event]:
        """Yield the events of one stream, until it ends."""
        headers = {"Accept": "text/event-stream"}
        if self._last_id is not None:
            headers["Last-Event-ID"] = self._last_id
        with closing(self.console.opened("/events", headers, SILENCE_S)) as response:
            if not (response.headers.get("Content-Type") or "").startswith("text/event-stream"):
                raise no_console(self.console.url, "no events")
            kind, data = "message", ""
            for line in _lines(response):
                if self.is_ended:
                    return
                name, _, value = line.partition(":")
                value = value.removeprefix(" ")
                if name == "event":
                    kind = value
                elif name == "data":
                    data += value
                elif name == "id":
                    self._last_id = value
                elif line == "":
                    if data:
                        place = None if kind == "outage" else self._last_id
                        yield Event(kind, self._read(data), place)
                    kind, data = "message", ""

    def _read(self, data: str) -> Any:
        try:
            return json.loads(data)
        except ValueError as error:
            raise other_version(self.console.url, repr(error)) from error


def _lines(response: HTTPResponse) -> Iterator[str]:
    """Yield the lines of the answer until it ends."""
    while True:
        line = response.readline(_MAX_LINE)
        if not line.endswith(b"\n"):
            return  # it ended, maybe within a line
        yield line.rstrip(b"\r\n").decode(errors="replace")


def _gone(console: Console, error: Exception) -> Exception:
    if isinstance(error, Retryable):
        return error
    return Retryable("console", f"the events of {console.url} end ({type(error).__name__})")
