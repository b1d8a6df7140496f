"""The stream of events: what comes, how it is resumed, and what becomes of who does not read."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import uuid4

import aiohttp
import pytest

from agents.worker.http import connections
from console.events import feed as feeds
from console.events.feed import MAX_LISTENERS, Feed
from console.events.outages import Outages
from console.events.positions import Positions
from rollguard.operations.overview.detector import DetectorClient
from schemas.deployment import DeploymentOutcome
from tests.support.consoles.console import Console
from tests.support.inputs.messages import execution
from tests.support.systems.system import System
from tests.support.waiting import WAIT_S, until

pytestmark = pytest.mark.timeout(450)


class SeenEvent(NamedTuple):
    kind: str
    data: dict[str, Any]
    id: str


def seen_in(text: str) -> SeenEvent | None:
    """Return the event that some lines are; None if they are a comment, or the beginning."""
    fields = dict(line.split(": ", 1) for line in text.splitlines() if line[:1] not in ("", ":"))
    if "data" not in fields:
        return None
    return SeenEvent(fields["event"], json.loads(fields["data"]), fields.get("id", ""))


@asynccontextmanager
async def listening(console: Console, last: str | None = None) -> AsyncIterator["Stream"]:
    """Open a stream of events; wait until the console reads them, and has room."""
    headers = {} if last is None else {"Last-Event-ID": last}
    async with aiohttp.ClientSession() as session, asyncio.timeout(WAIT_S) as limit:
        while True:
            async with session.get(f"{console.url}/api/v1/events", headers=headers) as answer:
                if answer.status == 503:
                    await asyncio.sleep(0.2)
                    continue
                limit.reschedule(None)
                assert answer.status == 200, await answer.text()
                assert answer.headers["Content-Type"].startswith("text/event-stream")
                yield Stream(answer)
                return


class Stream:
    """A stream that a test reads."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def next_of(self, tool: str) -> SeenEvent:
        """Return the next event of a tool."""
        async with asyncio.timeout(WAIT_S):
            while True:
                text = (await self._answer.content.readuntil(b"\n\n")).decode()
                event = seen_in(text)
                if event is not None and event.data.get("tool_name") == tool:
                    return event


async def test_what_happens_comes_and_is_resumed(
    console: Console, shared_system: System, tool: str
) -> None:
    async with listening(console) as stream:
        first = await shared_system.deploy(tool, "one")
        await shared_system.deploy(tool, "two")
        await shared_system.run(*(execution(tool, "ValueError: no") for _ in range(3)))
        events = [await stream.next_of(tool) for _ in range(3)]
    assert [each.kind for each in events] == ["deployment", "deployment", "rollback"]
    assert events[0].data == json.loads(first.to_bytes())
    assert events[2].data["status"] == "applied"
    assert events[2].data["to_version_id"] == first.version_id
    for after in (0, 1):
        async with listening(console, events[after].id) as stream:
            resumed = [await stream.next_of(tool) for _ in events[after + 1 :]]
        assert resumed == events[after + 1 :]
    missed = await shared_system.deploy(tool, "three")
    async with listening(console, events[2].id) as stream:
        assert (await stream.next_of(tool)).data["deployment_id"] == str(missed.deployment_id)
    found = await console.get("/events", Last_Event_ID="x")
    assert (found.status, found.body["status"]) == (422, 422)


@asynccontextmanager
async def own_feed(system: System) -> AsyncIterator[Feed]:
    """Run a feed in this process, until it reads."""
    async with DetectorClient(system.settings) as detector:
        feed = Feed(system.settings, Outages(detector))
        reading = asyncio.ensure_future(feed.run())

        async def reads() -> bool:
            with suppress(Exception):
                feed.require_room()
                return True
            return False

        try:
            await until(reads)
            yield feed
        finally:
            feed.close()
            reading.cancel()
            await asyncio.wait((reading,))


async def test_what_memory_has_no_more_is_read_from_kafka(
    shared_system: System, tool: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "KEPT", 2)
    async with own_feed(shared_system) as feed:
        begin = await anext(feed.stream(None))
        sent = [await shared_system.deploy(tool, str(number)) for number in range(5)]
        last = begin.decode().split("id: ")[1].strip()
        seen: list[SeenEvent] = []
        stream = feed.stream(Positions.parse(last))
        async with asyncio.timeout(WAIT_S):
            async for chunk in stream:
                event = seen_in(chunk.decode())
                if event is not None and event.data.get("tool_name") == tool:
                    seen.append(event)
                if len(seen) == len(sent):
                    break
        await stream.aclose()  # type: ignore[attr-defined]
        assert [each.data["version_id"] for each in seen] == [each.version_id for each in sent]
        resumed = feed.stream(Positions.parse(seen[1].id))
        await anext(resumed)
        third = seen_in((await anext(resumed)).decode())
        assert third == seen[2]


class FakeConnection:
    """A connection that notes what is done to it."""

    def __init__(self) -> None:
        self.lasts = self.is_aborted = False

    def may_last(self) -> None:
        self.lasts = True

    def abort(self) -> None:
        self.is_aborted = True


async def test_who_reads_too_slowly_is_dropped(
    shared_system: System, tool: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "MAX_WAITING", 3)
    connection = FakeConnection()
    async with own_feed(shared_system) as feed:
        reader = feed.stream(None)
        await anext(reader)
        token = connections._current.set(connection)  # type: ignore[arg-type]
        slow = feed.stream(None)
        await anext(slow)
        connections._current.reset(token)
        assert (connection.lasts, feed.listeners) == (True, 2)
        for number in range(4):
            await shared_system.deploy(tool, str(number))
            await anext(reader)
        assert (connection.is_aborted, feed.listeners) == (True, 1)
        assert [chunk async for chunk in slow] == []


async def test_a_connection_that_reads_nothing_is_closed(
    console: Console, shared_system: System, tool: str
) -> None:
    """The kernel holds 4 MB and more for it, so it is sent far more than that."""
    host, _, port = console.url.removeprefix("http://").partition(":")
    many = 900
    refused = [
        DeploymentOutcome(
            deployment_id=uuid4(),
            tool_name=tool,
            status="refused",
            refusal="x" * 20_000,
            applied_at=datetime.now(UTC),
        )
        for _ in range(many)
    ]
    async with listening(console) as reads:
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            slow.connect((host, int(port)))
            slow.sendall(f"GET /api/v1/events HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
            slow.settimeout(WAIT_S)
            assert await asyncio.to_thread(slow.recv, 12) == b"HTTP/1.1 200"
            for begin in range(0, many, 100):
                part = refused[begin : begin + 100]
                await shared_system.send(shared_system.topics.deployment_outcomes, tool, *part)
                for sent in part:
                    event = await reads.next_of(tool)
                    assert event.data["deployment_id"] == str(sent.deployment_id)
            received = await asyncio.to_thread(all_of, slow)
    assert str(refused[-1].deployment_id) not in received
    assert (await console.get("/tools")).status == 200


def all_of(connection: socket.socket) -> str:
    """Return what arrives until the connection ends, in whatever way."""
    received = bytearray()
    with suppress(ConnectionError):
        while chunk := connection.recv(1_000_000):
            received += chunk
    return received.decode()


async def test_five_hundred_streams(console: Console, shared_system: System, tool: str) -> None:
    host, _, port = console.url.removeprefix("http://").partition(":")
    async with listening(console):
        pass
    request = f"GET /api/v1/events HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode()
    opened = []
    for _ in range(MAX_LISTENERS):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(request)
        opened.append((reader, writer))
    async with asyncio.timeout(4 * WAIT_S):
        for reader, _ in opened:
            await reader.readuntil(b"id: ")
    full = await console.get("/events")
    assert (full.status, full.headers["Retry-After"]) == (503, "2")
    assert (await console.get("/tools")).status == 200
    await shared_system.deploy(tool, "one")
    async with asyncio.timeout(4 * WAIT_S):
        for reader, _ in opened:
            await reader.readuntil(b"event: deployment")
    for _, writer in opened:
        writer.close()
    async with listening(console):
        pass
