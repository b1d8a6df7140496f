"""A server of a worker under attack: half requests, requests without end, answers nobody reads."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from agents.worker.http import connections
from agents.worker.http.server import WebServer
from schemas.settings import only_these_settings
from tests.support.waiting import until

HEAD = b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n"
BIG = 64 * 1024 * 1024


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    """Serve one small and one big answer, with short times."""
    monkeypatch.setattr(connections, "HEAD_S", 0.5)
    monkeypatch.setattr(connections, "WHOLE_S", 1.5)
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 20)

    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=b"x" * (BIG if request.path == "/big" else 1))

    routes = [web.get("/big", answer), web.get("/small", answer)]
    server = WebServer("detector", only_these_settings(web_port=0), routes, (), lambda _: False)
    await server.listen()
    yield int(server.url.rpartition(":")[2])
    await server.stop()


async def ends(reader: asyncio.StreamReader) -> bytes:
    """Read until the connection ends."""
    try:
        return await reader.read(-1)
    except ConnectionResetError:
        return b""


@pytest.mark.parametrize("part", [b"", b"GET /small HTTP/1.1\r\n", b"GET /small HTTP/1.1\r\nA: b"])
async def test_half_a_request_is_not_waited_for(port: int, part: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(part)
    assert await ends(reader) == b""
    writer.close()


async def test_a_header_a_time_does_not_keep_a_connection(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    ended = asyncio.ensure_future(ends(reader))
    writer.write(b"GET /small HTTP/1.1\r\n")
    while not ended.done():
        writer.write(b"A: b\r\n")
        await asyncio.sleep(0.05)
    assert await ended == b""
    writer.close()


async def test_a_head_may_come_in_pieces(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_S", 60)
    monkeypatch.setattr(connections, "WHOLE_S", 60)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for each in HEAD.replace(b"/big", b"/small"):
        writer.write(bytes([each]))
        await writer.drain()
    assert (await ends(reader)).startswith(b"HTTP/1.1 200 ")
    writer.close()


async def test_an_answer_that_nobody_reads_is_given_up(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HEAD)
    await asyncio.sleep(2.5)  # the server gives up after 1.5 s
    assert len(await ends(reader)) < BIG
    writer.close()


@pytest.mark.parametrize("path", ["/small", "/nothing"])
async def test_a_connection_carries_one_request(port: int, path: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HEAD.replace(b"/big", path.encode()) * 2)
    answers = await ends(reader)
    assert answers.count(b"HTTP/1.1 ") == 1
    assert b"Connection: close" in answers
    writer.close()


async def test_a_body_that_does_not_come_is_not_waited_for(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "WHOLE_S", 3_600)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /small HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n")
    assert (await ends(reader)).startswith(b"HTTP/1.1 405 ")
    writer.close()


async def test_a_whole_request_is_answered_whatever_many_half_ones_wait(port: int) -> None:
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(60)]
    for _, writer in opened:
        writer.write(b"GET /small HTTP/1.1\r\n")

    async def most_are_aborted() -> bool:
        return sum(bool(each.at_eof() or each.exception()) for each, _ in opened) >= 40

    await until(most_are_aborted)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HEAD.replace(b"/big", b"/small"))
    assert (await ends(reader)).startswith(b"HTTP/1.1 200 ")
    for _, each in [*opened, (reader, writer)]:
        each.close()


class Echo(asyncio.Protocol):
    """Answers whatever comes; what begins with ``stream`` is a stream."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        connection = connections.current_connection()
        assert connection is not None
        if data.startswith(b"stream"):
            connection.may_last()
        self.transport.write(data)


async def test_a_stream_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "WHOLE_S", 3.0)
    limited = connections.LimitedConnections(Echo, most=3)
    server = await asyncio.get_running_loop().create_server(limited, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async def opened(said: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(said)
        assert await reader.readexactly(len(said)) == said
        return reader, writer

    reader, writer = await opened(b"stream\r\n\r\n")
    others = [await opened(b"a question\r\n\r\n") for _ in range(2)]
    others.append(await asyncio.open_connection("127.0.0.1", port))
    assert await ends(others[2][0]) == b""  # there are too many, and it asks nothing
    for other, _ in others:
        assert await ends(other) == b""
    writer.write(b"more")
    assert await reader.readexactly(4) == b"more"
    assert connections.current_connection() is None
    for _, each in [*others, (reader, writer)]:
        each.close()
    server.close()
