"""The names by which a worker may be called, and what it says to whom."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from agents.worker.http.addresses import Addresses
from agents.worker.http.server import WebServer
from schemas.settings import Settings, only_these_settings


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[int]:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="answered")

    routes = [web.get("/healthz", answer), web.get("/tools", answer)]
    server = WebServer("detector", settings, routes, {"/healthz"}, lambda _: False)
    await server.listen()
    assert server._listener is not None
    yield server._listener.sockets[0].getsockname()[1]
    await server.stop()


async def status(port: int, *headers: str, version: str = "1.1", path: str = "/healthz") -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = (f"GET {path} HTTP/{version}", *headers, "Connection: close", "", "")
    writer.write("\r\n".join(lines).encode())
    answer = await reader.read(-1)
    writer.close()
    return int(answer.split()[1])


LOOPBACK = ("localhost", "LocalHost:6066", "127.0.0.1", "127.9.9.9:80", "[::1]", "[::1]:6066")
FOREIGN = (
    "attacker.example",
    "localhost.attacker.example:6066",
    "127.0.0.1.attacker.example",
    "10.0.0.7",
    "[2001:db8::7]",
    "localhost@attacker.example",
    "attacker.example/localhost",
    "",
    "localhost:x",
    "localhost attacker.example",
)


async def test_a_name_of_somebody_else_is_refused_on_every_path() -> None:
    async with serving(only_these_settings(web_port=0)) as port:
        for host in LOOPBACK:
            assert await status(port, f"Host: {host}") == 200, host
        for host in FOREIGN:
            for path in ("/healthz", "/tools", "/nothing"):
                assert await status(port, f"Host: {host}", path=path) in (400, 421), (host, path)


async def test_a_request_names_exactly_one_host() -> None:
    async with serving(only_these_settings(web_port=0)) as port:
        assert await status(port, "Host: localhost", "Host: attacker.example") in (400, 421)
        assert await status(port, "Host: attacker.example", "Host: localhost") in (400, 421)
        assert await status(port) in (400, 421)
        assert await status(port, version="1.0") == 200  # the check of a load balancer
        assert await status(port, "Host: attacker.example", version="1.0") == 421


async def test_own_names_are_answered() -> None:
    """Those that are listed, the one at which others reach it, and the address that was reached."""
    settings = only_these_settings(
        web_port=0,
        web_host="0.0.0.0",
        web_token="t",
        web_url="http://detector-1.example.org:6066",
        web_allowed_hosts="Rollguard.example.org, rollguard",
    )
    async with serving(settings) as port:
        for host in ("detector-1.example.org:6066", "rollguard.example.org", "ROLLGUARD:1"):
            assert await status(port, f"Host: {host}") == 200, host
        assert await status(port, "Host: detector-2.example.org") == 421


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("kafka-1:9092,kafka-2.internal:9093 does not answer", "…,… does not answer"),
        ("waits for Kafka for 3 s: kafka-1 is away", "waits for Kafka for 3 s: … is away"),
        ("db.internal:5432/rollguard (sslmode=prefer): no", "…/rollguard (sslmode=prefer): no"),
        ("[Errno 111] Connect call failed ('10.0.0.1', 5432)", "[Errno 111] Connect call failed …"),
        ("Multiple: ('::1', 9092, 0, 0), ('127.0.0.1', 1)", "Multiple: …, …"),
        ("Connection at broker-7.eu.internal:9092 closed", "Connection at … closed"),
        ("to 10.0.0.1 and 2001:db8::7 and [fe80::1%eth0]:9092", "to … and … and …"),
        ("socket /run/pg/.s.PGSQL.5432 is gone", "socket … is gone"),
        ("run kafka-configs.sh --bootstrap-server kafka-1:9092 now", "run kafka-configs.sh "
         "--bootstrap-server … now"),
        ("tool-executions/0: lag 3, nothing committed for 31 s", None),
        ("the lock of 'words' is held by psql (pid 4711) since 12:30:05", None),
        ("set min.compaction.lag.ms of tool-versions (docs/how-to/deploy.md)", None),
    ],
)  # fmt: skip
def test_a_reason_without_addresses(text: str, shown: str | None) -> None:
    settings = only_these_settings(
        kafka_brokers=("kafka-1:9092", "kafka-2.internal:9093"),
        postgres_dsn="postgresql://me:hush@db.internal:5432/rollguard",
    )
    assert Addresses(settings).removed_from(text) == (text if shown is None else shown)


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://me:hush@first.internal:1,second.internal:2/db",
        "postgresql:///db?host=first.internal,second.internal",
        "postgresql://me@first.internal,second.internal/db",
    ],
)
def test_every_host_of_a_dsn_is_an_address(dsn: str) -> None:
    found = Addresses(only_these_settings(postgres_dsn=dsn))
    assert found.removed_from("first.internal or second.internal") == "… or …"


@pytest.mark.parametrize("variable", ["PGHOST", "PGHOSTADDR"])
def test_so_is_that_of_the_variables_of_libpq(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "db.internal")
    settings: Any = only_these_settings(postgres_dsn="postgresql:///db")
    assert Addresses(settings).removed_from("db.internal/db") == "…/db"
