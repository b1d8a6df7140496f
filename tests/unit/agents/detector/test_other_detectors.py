"""A detector asks an address that an attacker has announced: nothing is given or believed."""

import gzip
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import web
from pydantic import SecretStr

from agents.asking.answer_limit import MAX_ANSWER_BYTES
from agents.detector.other_detectors import NoAnswer, OtherDetectors
from agents.detector.proof import ANSWER_HEADER, Proof
from agents.detector.table_queries import Served, TableQueries
from agents.worker.http.server import WebServer
from schemas.identity import Identity
from schemas.settings import Settings, only_these_settings

TOKEN, SECRET = "the-token-of-people", "the-secret-of-detectors"
PATH = "/tools/parser/health"
OURS = Identity("cluster", "prefix", "detector", "here")
FORGED = {"needs_rollback": True}


def settings(**more: Any) -> Settings:
    return only_these_settings(web_token=TOKEN, detector_token=SECRET, web_port=0, **more)


class Attacker:
    """A server that says it is a detector of our system, and what it was sent."""

    def __init__(self, answer: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> None:
        self.url = ""
        self.requests: list[web.Request] = []
        self._answer = answer

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        return await self._answer(request)

    @property
    def sent(self) -> str:
        return "".join(f"{each.raw_path} {dict(each.headers)}" for each in self.requests)


@asynccontextmanager
async def attacker(
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> AsyncIterator[Attacker]:
    found = Attacker(answer)
    app = web.Application()
    app.add_routes([web.get("/{path:.*}", found.handle)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield found
    await runner.cleanup()


@asynccontextmanager
async def asking(given: Settings, url: str = "http://us:1") -> AsyncIterator[OtherDetectors]:
    others = OtherDetectors(given, OURS, url)
    yield others
    await others.close()


@asynccontextmanager
async def honest(given: Settings, answers: list[web.Request]) -> AsyncIterator[str]:
    """Run a detector that answers for every tool; return its address."""
    queries = TableQueries(given)

    async def answer(request: web.Request) -> web.Response:
        answers.append(request)
        return web.json_response({"tool_name": "parser"})

    handler = cast(Any, queries)._proved(answer)
    routes = [web.get("/tools/{tool}/health", handler)]
    server = WebServer("detector", given, routes, (), queries.is_from_detector)
    server.identity = OURS
    await server.listen()
    queries.serve(Served(cast(Any, None), cast(Any, None), 4, server.url, cast(Any, None)))
    yield server.url
    await server.stop()


async def test_detectors_answer_each_other_without_the_token_of_people() -> None:
    answers: list[web.Request] = []
    async with honest(settings(), answers) as url, asking(settings()) as others:
        assert await others.ask(url, PATH) == (200, {"tool_name": "parser"})
    [request] = answers
    assert TOKEN not in str(request.headers)
    assert SECRET not in str(request.headers)


@pytest.mark.parametrize("secret", ["another-secret-of-others", None])
async def test_who_has_another_secret_is_not_answered(secret: str | None) -> None:
    answers: list[web.Request] = []
    async with (
        honest(settings().model_copy(update={"detector_token": None}), answers) as without,
        honest(settings(), answers) as url,
        asking(only_these_settings(web_token=TOKEN, detector_token=secret)) as others,
    ):
        for each in (url, without):
            with pytest.raises(NoAnswer):
                await others.ask(each, PATH)
    assert answers == []


async def test_a_forged_answer_is_not_believed() -> None:
    async def answer(request: web.Request) -> web.Response:
        forged = {ANSWER_HEADER: Proof(SecretStr("a guess")).of_answer("", 200, b"")}
        return web.json_response(FORGED, headers=OURS.headers() | forged)

    async with attacker(answer) as theirs, asking(settings()) as others:
        with pytest.raises(NoAnswer, match="nobody who has our ROLLGUARD_DETECTOR_TOKEN"):
            await others.ask(theirs.url, PATH)
    assert len(theirs.requests) == 1
    assert TOKEN not in theirs.sent
    assert SECRET not in theirs.sent


async def test_a_true_answer_cannot_be_changed_or_used_again() -> None:
    """The attacker knows answers of detectors to other questions, with their proofs."""
    proof, seen = Proof(SecretStr(SECRET)), []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.headers["Authorization"])
        body = json.dumps({"tool_name": "parser"}).encode()
        code = proof.of_answer(seen[0], 200, body)  # the first time, a true one
        status = 404 if len(seen) == 3 else 200
        if len(seen) == 4:
            code = proof.of_answer(seen[-1], 200, body)
            body = json.dumps(FORGED).encode()
        return web.Response(
            body=body, status=status, headers=OURS.headers() | {ANSWER_HEADER: code}
        )

    async with attacker(answer) as theirs, asking(settings()) as others:
        assert (await others.ask(theirs.url, PATH)).status == 200
        for _ in range(3):
            with pytest.raises(NoAnswer, match="nobody who has our"):
                await others.ask(theirs.url, PATH)
    assert len(set(seen)) == 4


async def test_a_question_cannot_be_used_at_another_detector() -> None:
    """The attacker sends it on, to be answered in its place."""
    answers: list[web.Request] = []

    async def answer(request: web.Request) -> web.Response:
        return web.json_response(FORGED, headers=OURS.headers())

    async with (
        honest(settings(), answers) as url,
        attacker(answer) as theirs,
        asking(settings()) as others,
    ):
        with pytest.raises(NoAnswer):
            await others.ask(theirs.url, PATH)
        stolen = theirs.requests[0].headers["Authorization"]

        async with aiohttp.ClientSession() as session:
            for path in (PATH, "/tools/other/health"):
                async with session.get(url + path, headers={"Authorization": stolen}) as got:
                    assert got.status == 401
    assert answers == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(status: int) -> None:
    async def inner(_: web.Request) -> web.Response:
        return web.json_response({"secret": "of the network"}, headers=OURS.headers())

    async with attacker(inner) as inside:

        async def away(_: web.Request) -> web.Response:
            headers = OURS.headers() | {"Location": f"{inside.url}/meta-data"}
            return web.Response(status=status, headers=headers)

        async with attacker(away) as theirs, asking(settings()) as others:
            with pytest.raises(NoAnswer, match="answers no detector of this system"):
                await others.ask(theirs.url, PATH)
    assert len(theirs.requests) == 1
    assert inside.requests == []


async def test_an_answer_without_end_is_not_read_whole() -> None:
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        answer = web.StreamResponse(headers=OURS.headers())
        await answer.prepare(request)
        for _ in itertools.repeat(None, 4_000):
            await answer.write(b" " * 65_536)
            sent += 65_536
        return answer

    async with attacker(endless) as theirs, asking(settings()) as others:
        with pytest.raises(NoAnswer, match="too long"):
            await others.ask(theirs.url, PATH)
    assert sent < 3 * MAX_ANSWER_BYTES


async def test_a_compressed_answer_is_not_inflated() -> None:
    bomb = gzip.compress(b" " * 100_000_000)

    async def compressed(_: web.Request) -> web.Response:
        return web.Response(body=bomb, headers=OURS.headers() | {"Content-Encoding": "gzip"})

    async with attacker(compressed) as theirs:
        async with asking(settings()) as others:
            with pytest.raises(NoAnswer, match="nobody who has our"):
                await others.ask(theirs.url, PATH)
        async with asking(only_these_settings()) as others:  # on loopback, without secrets
            with pytest.raises(NoAnswer, match="no detector of this system"):
                await others.ask(theirs.url, PATH)


@pytest.mark.parametrize(
    "body", [b"<script>", b"[]", b"[" * 200_000, b"\xff", b'"x"', b""], ids=lambda body: body[:9]
)
async def test_what_is_no_json_object_is_not_passed_on(body: bytes) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="text/html", headers=OURS.headers())

    async with attacker(answer) as theirs, asking(only_these_settings()) as others:
        with pytest.raises(NoAnswer, match="no detector of this system"):
            await others.ask(theirs.url, PATH)


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest?x=",
        "http://attacker.example:6066",
        "http://10.0.0.1:6066",
        "http://127.0.0.1:6066/admin?x=",
        "http://us:1/path",
        "http://them@us:1",
        "http://2130706433:6066",
        "ftp://localhost",
    ],
)
async def test_a_host_that_is_not_allowed_is_not_asked(url: str) -> None:
    async with asking(settings()) as others:
        with pytest.raises(NoAnswer, match="is not asked: ROLLGUARD_DETECTOR_HOSTS"):
            await others.ask(url, PATH)


async def test_hosts_are_allowed_by_the_settings_and_by_the_own_address() -> None:
    given = settings(detector_hosts="*.invalid")
    async with asking(given, "http://us.example.invalid:6066") as others:
        for url in ("http://det-1.invalid:1", "http://us.example.invalid:7"):
            with pytest.raises(NoAnswer, match="does not answer: ClientConnector"):
                await others.ask(url, PATH)


async def test_with_a_token_detectors_need_a_secret_of_their_own() -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response(FORGED, headers=OURS.headers())

    async with attacker(answer) as theirs, asking(only_these_settings(web_token=TOKEN)) as others:
        with pytest.raises(NoAnswer, match="set ROLLGUARD_DETECTOR_TOKEN on all detectors"):
            await others.ask(theirs.url, PATH)
    assert theirs.requests == []
