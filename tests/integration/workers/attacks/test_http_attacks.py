"""Attacks over HTTP on real workers, and on the command line."""

import asyncio
import itertools
import resource
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
from aiohttp import web

from agents.worker.http.connections import HEAD_S, MAX_CONNECTIONS
from rollguard.embedded.ports import free_port
from schemas.identity import Identity
from tests.support.servers.web_app import web_app
from tests.support.systems.command_line import rollguard
from tests.support.systems.system import System
from tests.support.waiting import until

TOKEN, SECRET = "the-token-of-people", "the-secret-of-detectors"


async def test_half_open_connections_do_not_stay(
    kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    """500 of them, and a supervisor that asks meanwhile; the worker need not reach Kafka."""
    async with System.started(kafka, database_dsn, topic_prefix, tmp_path, ()) as system:
        nobody = f"127.0.0.1:{free_port()}"
        worker = await system.spawn("detector", ROLLGUARD_KAFKA_BROKERS=nobody)
        port = system.ports["detector"]

        async def answers() -> bool:
            return (await system.page("detector", "/healthz"))[0] == 200

        await until(answers)
        opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(500)]
        for number, (_, writer) in enumerate(opened):
            if number % 2:
                writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n")
        began, slowest = time.monotonic(), 0.0
        while time.monotonic() < began + HEAD_S + 2:
            asked = time.monotonic()
            assert await answers()
            slowest = max(slowest, time.monotonic() - asked)
            await asyncio.sleep(0.2)
        left = [reader for reader, _ in opened if not (reader.at_eof() or reader.exception())]
        here = [
            each
            for each in psutil.Process(worker.pid).net_connections("tcp")
            if each.laddr.port == port and each.status == psutil.CONN_ESTABLISHED
        ]
        print(f"{len(left)} half-open connections left, {len(here)} at the worker, {slowest:.2f} s")
        assert left == []
        assert len(here) <= 1
        assert len(here) < MAX_CONNECTIONS
        for _, writer in opened:
            writer.close()


async def test_without_the_token_no_address_is_named(
    kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with System.started(kafka, database_dsn, topic_prefix, tmp_path, ()) as system:
        away = free_port()
        for role, more in (
            ("detector", {"ROLLGUARD_KAFKA_BROKERS": f"127.0.0.1:{away}"}),
            ("recorder", {"ROLLGUARD_POSTGRES_DSN": f"postgresql://me@127.0.0.1:{away}/x"}),
        ):
            await system.spawn(role, ROLLGUARD_WEB_TOKEN=TOKEN, **more)
            right = {"Authorization": f"Bearer {TOKEN}"}

            async def told(role: str = role, right: dict[str, str] = right) -> bool:
                reasons = (await system.page(role, "/readyz", **right))[1].get("reasons", ())
                return any(f"127.0.0.1:{away}" in each for each in reasons)

            await until(told)
            for path in ("/readyz", "/healthz"):
                for headers in ({}, {"Authorization": "Bearer x"}):
                    _, body = await system.page(role, path, **headers)
                    text = str(body)
                    assert "waits for " in text
                    assert str(away) not in text
                    assert "127.0.0.1" not in text


async def test_a_name_of_somebody_else_is_refused(shared_system: System) -> None:
    """A page in a browser whose name its owner lets point to loopback reads nothing."""
    await shared_system.all_ready()
    for role in ("detector", "applier", "recorder"):
        for path in ("/healthz", "/readyz", "/metrics", "/tools", "/tools/parser/health"):
            status, body = await shared_system.page(role, path, Host="attacker.example:6066")
            assert (status, list(body)) == (421, ["error"]), (role, path)
            assert "ROLLGUARD_WEB_ALLOWED_HOSTS" in body["error"]


@asynccontextmanager
async def false_detector(
    port: int, identity: Identity, requests: list[web.Request], kind: str
) -> AsyncIterator[None]:
    """Run a server that says it is a detector of our system."""

    async def answer(request: web.Request) -> web.StreamResponse:
        requests.append(request)
        headers = identity.headers()
        if kind == "redirect":
            location = f"http://127.0.0.1:{port}/inside/{len(requests)}"
            return web.Response(status=302, headers=headers | {"Location": location})
        if kind == "forged":
            return web.json_response({"tools": [{"tool_name": "forged"}]}, headers=headers)
        stream = web.StreamResponse(headers=headers)
        await stream.prepare(request)
        for _ in itertools.repeat(None, 16_000):  # 1 GB
            await stream.write(b" " * 65_536)
        return stream

    async with web_app(port, answer):
        yield


@pytest.mark.parametrize("verb", ["check", "health"])
async def test_an_answer_without_end_costs_the_command_line_little(verb: str) -> None:
    port, requests = free_port(), list[web.Request]()
    env = {"ROLLGUARD_DETECTOR_URL": f"http://127.0.0.1:{port}", "ROLLGUARD_WEB_TOKEN": TOKEN}
    async with false_detector(port, Identity("c", "", "detector", "x"), requests, "endless"):
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        began = time.monotonic()
        done = await rollguard(verb, "parser", env=env)
        print(f"{time.monotonic() - began:.1f} s, {before} KB before")
    assert done.code == 1
    assert "answers more than 16777216 bytes, which is not read" in done.err
    assert len(requests) == 1


@pytest.mark.parametrize("verb", ["check", "health"])
async def test_the_command_line_follows_no_redirect(verb: str) -> None:
    port, requests = free_port(), list[web.Request]()
    env = {
        "ROLLGUARD_DETECTOR_URL": f"http://127.0.0.1:{port}",
        "ROLLGUARD_KAFKA_BROKERS": "127.0.0.1:1",
    }
    async with false_detector(port, Identity("c", "", "detector", "x"), requests, "redirect"):
        done = await rollguard(verb, "parser", env=env)
    assert done.code == 1
    assert len(requests) == 1


@pytest.mark.kafka
@pytest.mark.timeout(540)
async def test_a_member_of_the_group_gets_no_token_and_is_not_believed(
    apache_kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    """The attacker may join the group: here with a worker of ours that announces his server."""
    right = {"Authorization": f"Bearer {TOKEN}"}
    tools = [f"tool-{number}" for number in range(8)]  # on all four partitions
    server, requests = free_port(), list[web.Request]()
    async with System.started(apache_kafka, database_dsn, topic_prefix, tmp_path, ()) as system:
        await system.spawn("detector", ROLLGUARD_WEB_TOKEN=TOKEN, ROLLGUARD_DETECTOR_TOKEN=SECRET)
        await system.all_ready("detector")
        identity = Identity.of_headers(await system.headers("detector", "/healthz"))
        assert identity is not None
        await system.spawn_second_detector(ROLLGUARD_WEB_URL=f"http://127.0.0.1:{server}")

        async def health() -> set[tuple[int, str]]:
            found = [
                await system.page("detector", f"/tools/{name}/health", **right) for name in tools
            ]
            return {(status, str(body.get("error", body))) for status, body in found}

        async def is_left_to_the_attacker() -> bool:
            """Return whether ours is at rest, and gets no answer from the attacker."""
            status, states = await system.page("detector", "/tools", **right)
            if status != 200 or str(server) not in str(states["unanswered"]):
                return False
            assert states["tools"] == []
            [why] = states["unanswered"]
            assert f"http://127.0.0.1:{server}" in why
            return True

        await until(is_left_to_the_attacker, 60)
        for kind in ("forged", "redirect", "endless"):
            requests.clear()
            async with false_detector(server, identity, requests, kind):
                await until(is_left_to_the_attacker)
                found = await health()
                assert {status for status, _ in found} <= {404, 503}, found
            assert requests, kind
            assert not [each for each in requests if each.path.startswith("/inside")]
            sent = "".join(f"{each.raw_path} {dict(each.headers)}" for each in requests)
            assert TOKEN not in sent
            assert SECRET not in sent
