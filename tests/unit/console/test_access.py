"""Who may ask the console, and how large a body may be: without a network."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from starlette.types import Message, Receive, Scope, Send

from console.admission.access import Access
from console.web.bodies import MAX_BODY_BYTES, LimitedBodies
from console.web.requests import OneRequest
from schemas.settings import Settings, load_settings

TOKEN, VIEWER = "the-token-of-operators", "the-token-of-viewers"


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: Any


async def handler(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the path, and with the length of the body."""
    length = 0
    while scope["method"] != "GET":
        message = await receive()
        length += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    await send({"type": "http.response.start", "status": 200, "headers": []})
    body = json.dumps([scope["path"], length]).encode()
    await send({"type": "http.response.body", "body": body})


async def ask(
    app: Any,
    method: str = "GET",
    path: str = "/api/v1/tools",
    headers: Mapping[str, str] = MappingProxyType({}),
    *,
    parts: Iterable[bytes] = (b"",),
    version: str = "1.1",
) -> Answer:
    scope = {
        "type": "http",
        "method": method,
        "http_version": version,
        "path": "decoded by the server",
        "raw_path": path.encode(),
        "server": ("10.0.0.7", 6069),
        "headers": [
            (name.lower().encode(), value.encode()) for name, value in headers.items() if value
        ],
    }
    coming = list(parts)
    sent: list[Message] = []

    async def receive() -> Message:
        if not coming:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": coming.pop(0), "more_body": bool(coming)}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    if not sent:
        return Answer(0, {}, None)
    names = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], names, json.loads(sent[1]["body"]))


def app_of(settings: Settings) -> OneRequest:
    return OneRequest(Access(handler, settings))


LOOPBACK = {"Host": "127.0.0.1:6069"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (LOOPBACK, 200),
        ({"Host": "localhost:6069"}, 200),
        ({"Host": "[::1]:6069"}, 200),
        ({"Host": "attacker.example:6069"}, 421),
        ({"Host": "10.0.0.7:6069"}, 421),
        ({"Host": "console.example"}, 421),
        ({"Host": ""}, 421),
        (LOOPBACK | {"Origin": "http://127.0.0.1:6069"}, 200),
        (LOOPBACK | {"Origin": "http://attacker.example"}, 403),
        (LOOPBACK | {"Origin": "http://127.0.0.1:6070"}, 403),
        (LOOPBACK | {"Origin": "http://127.0.0.1:6069.attacker.example"}, 403),
        (LOOPBACK | {"Origin": "null"}, 403),
        (LOOPBACK | {"Origin": "http://[::1"}, 403),
    ],
)
async def test_without_a_token_only_this_machine_and_its_own_pages(
    headers: dict[str, str], status: int
) -> None:
    app = app_of(load_settings(web_allowed_hosts="console.example"))
    found = await ask(app, "POST", headers=headers)
    assert found.status == status, found
    assert found.headers["connection"] == "close"
    if status != 200:
        assert found.headers["content-type"] == "application/problem+json"
        assert found.body["status"] == status
    if status == 403:  # a page of somebody else may ask: the browser lets it read no answer
        assert (await ask(app, "GET", headers=headers)).status == 200


@pytest.mark.parametrize(
    ("token", "read", "change"),
    [
        (TOKEN, 200, 200),
        (VIEWER, 200, 403),
        ("wrong", 401, 401),
        ("", 401, 401),
    ],
)
async def test_who_may_do_what_with_a_token(token: str, read: int, change: int) -> None:
    app = app_of(load_settings(web_token=TOKEN, web_viewer_token=VIEWER))
    headers = {"Host": "10.0.0.7", "Authorization": f"Bearer {token}" if token else ""}
    assert (await ask(app, "GET", headers=headers)).status == read
    for method in ("POST", "PUT", "DELETE", "PATCH", "ANYTHING"):
        found = await ask(app, method, headers=headers)
        assert found.status == change, method
    assert ("www-authenticate" in found.headers) == (change == 401)


async def test_what_needs_no_token_and_no_name() -> None:
    app = app_of(load_settings(web_token=TOKEN, web_allowed_hosts="Console.Example"))
    for path in ("/healthz", "/readyz"):
        assert (await ask(app, path=path, headers={"Host": "localhost"})).status == 200
        assert (await ask(app, path=path, headers={"Host": "attacker.example"})).status == 421
        assert (await ask(app, path=path, version="1.0")).status == 200
    assert (await ask(app, path="/%68ealthz", headers={"Host": "localhost"})).status == 401
    right = {"Authorization": f"Bearer {TOKEN}"}
    for name in ("console.example", "CONSOLE.EXAMPLE:6069", "10.0.0.7:1", "localhost"):
        assert (await ask(app, headers={"Host": name} | right)).status == 200, name


async def test_routes_see_the_path_as_it_was_sent() -> None:
    found = await ask(app_of(load_settings()), path="/api/v1/tools/a%2Fb%20c", headers=LOOPBACK)
    assert found.body == ["/api/v1/tools/a%2Fb%20c", 0]


async def test_a_body_is_limited() -> None:
    app = LimitedBodies(handler)
    half = b"x" * (MAX_BODY_BYTES // 2)
    assert (await ask(app, "POST", parts=[half, half])).body[1] == MAX_BODY_BYTES
    for headers, parts in (
        ({"Content-Length": str(MAX_BODY_BYTES + 1)}, [b""]),
        ({"Content-Length": "9" * 19}, [b""]),
        ({}, [half, half, b"x"]),
        ({"Content-Length": "1"}, [half, half, b"x"]),
    ):
        found = await ask(app, "POST", parts=parts, headers=headers)
        assert (found.status, found.body["status"]) == (413, 413)
    assert await ask(app, "POST", parts=[]) == (0, {}, None)


async def test_a_body_that_does_not_come_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("console.web.bodies.BODY_S", 0.01)
    sent: list[Message] = []

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/api/v1/executions", "headers": []}
    await LimitedBodies(handler)(scope, receive, send)
    assert sent[0]["status"] == 408
