"""Requests to the console over HTTP: tags, HEAD, errors, strange names, tokens."""

import asyncio
import json
from urllib.parse import quote
from uuid import uuid4

import pytest

from tests.support.consoles.console import Console, running_console
from tests.support.systems.command_line import rollguard
from tests.support.systems.system import System
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(450)


async def test_a_tool_whose_name_has_a_slash(
    console: Console, shared_system: System, tool: str
) -> None:
    name = f"{tool}/versions/ä %+?#"
    await shared_system.deploy(name, "one")
    path = f"/tools/{quote(name, safe='')}"

    async def known() -> bool:
        return bool((await console.get(path)).body["state"] == "unjudged")

    await until(known)
    found = (await console.get(path)).body
    assert found["tool_name"] == found["version"]["tool_name"] == name
    assert found["version"]["code"] == "one"
    assert (found["stops"], found["notes"]) == ([], [])
    health = (await console.get(f"{path}/health")).body
    assert health["tool_name"] == name
    assert (health["needs_rollback"], health["waits_for"], health["stops"]) == (False, None, [])


async def test_who_has_it_already_gets_304(
    console: Console, shared_system: System, tool: str
) -> None:
    made = await shared_system.deploy(tool, "one")
    path = f"/tools/{tool}/versions/{made.version_id}"
    first = await console.get(path)
    assert first.status == 200
    tag = first.headers["ETag"]
    for given in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = await console.get(path, If_None_Match=given)
        assert (again.status, again.body, again.headers["ETag"]) == (304, None, tag)
    assert (await console.get(path, If_None_Match='"other"')).status == 200
    await shared_system.deploy(tool, "two")
    changed = await console.get(path, If_None_Match=tag)
    assert changed.status == 200
    assert not changed.body["is_current"]


async def test_head_is_get_without_the_body(
    console: Console, shared_system: System, tool: str
) -> None:
    await shared_system.deploy(tool, "one")
    path = f"/api/v1/tools/{tool}/versions"
    for each in (path, "/healthz", "/openapi.json", "/metrics", "/tools"):
        head = await console.ask("HEAD", each)
        assert (head.status, head.body) == (200, None), (each, head)
        assert int(head.headers["Content-Length"]) > 0, (each, head)
    found = await console.ask("GET", path)
    head = await console.ask("HEAD", path)
    for name in ("ETag", "Content-Type", "Content-Length"):
        assert head.headers[name] == found.headers[name]
    again = await console.ask("HEAD", path, If_None_Match=found.headers["ETag"])
    nothing = await console.ask("HEAD", f"/api/v1/tools/{tool}-other")
    assert (again.status, nothing.status) == (304, 404)
    endless = await console.ask("HEAD", "/api/v1/events")
    assert (endless.status, endless.headers["Allow"]) == (405, "GET")


async def test_what_does_not_exist_and_what_is_wrong(console: Console, tool: str) -> None:
    for path in (
        *(f"/tools/{tool}{rest}" for rest in ("", "/health", "/versions", "/versions/1")),
        *(f"/tools/{tool}/compare?from=1&to=v2", f"/rollbacks/{uuid4()}", "/nothing", "/tools/"),
    ):
        found = await console.get(path)
        assert (found.status, found.body["status"]) == (404, 404), (path, found)
        assert found.headers["Content-Type"] == "application/problem+json"
    for path in (
        *("/tools?limit=0", "/tools?limit=501", "/tools?state=good", "/tools?cursor=x"),
        *("/tools?cursor=WyJcdTAwMDAiXQ", "/tools?q=%00", "/tools/%00", "/tools/%FF"),
        *(f"/tools/{'x' * 256}", "/tools/x/versions/x", "/rollbacks/none", "/rollbacks?tool="),
        *("/rollbacks?since=today", "/tools/x/compare?from=v1", "/tools/x/compare?from=a&to=1"),
        *("/dead-letters?cursor=W10", "/rollbacks?cursor=WzEsMiwzXQ"),
        *("/engines?stale=perhaps", "/engines?tool=%00", "/engines?cursor=WzEsMl0"),
        # The number of a stop in it is greater than any that Postgres can have.
        "/stops?cursor=WyIyMDI2LTAxLTMxVDEyOjAwOjAwWiIsOTIyMzM3MjAzNjg1NDc3NTgwOF0",
    ):
        found = await console.get(path)
        assert (found.status, found.body["status"]) == (422, 422), (path, found)
        assert found.body["errors"], path
    for path, allowed in (
        *(("/tools", "GET, HEAD"), (f"/tools/{tool}/pin", "DELETE, GET, HEAD, PUT")),
        *(("/events", "GET"), ("/executions", "POST")),
    ):
        wrong = await console.ask("PATCH", f"/api/v1{path}", {})
        assert (wrong.status, wrong.headers["Allow"]) == (405, allowed)
        assert wrong.body["title"] == "Method Not Allowed"


async def test_what_is_no_request_gets_a_problem(console: Console) -> None:
    host, _, port = console.url.removeprefix("http://").partition(":")
    endless = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nA: " + b"x" * 20_000
    for sent in (b"nonsense\r\n\r\n", endless):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(sent)
        head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 "), head
        assert b"application/problem+json" in head
        assert json.loads(body)["status"] == 400
        writer.close()


async def test_a_console_that_cannot_serve_says_why(console: Console) -> None:
    port = console.url.rpartition(":")[2]
    for env, why in (
        ({"ROLLGUARD_WEB_HOST": "0.0.0.0"}, "set ROLLGUARD_WEB_TOKEN"),
        ({"ROLLGUARD_WEB_PORT": port}, f"cannot listen on 127.0.0.1:{port}"),
        ({"ROLLGUARD_WEB_VIEWER_TOKEN": "x"}, "web_viewer_token needs web_token"),
    ):
        done = await rollguard("console", env=env)
        assert (done.code, done.out) == (1, "")
        assert why in done.err
        assert done.err.count("\n") == 1


async def test_a_token_is_asked_for_by_the_real_server(shared_system: System) -> None:
    token, viewer = "the-token-of-operators", "the-token-of-viewers"
    async with running_console(
        shared_system,
        ROLLGUARD_WEB_TOKEN=token,
        ROLLGUARD_WEB_VIEWER_TOKEN=viewer,
        ROLLGUARD_WEB_HOST="0.0.0.0",
    ) as console:
        for given, read, change in (("", 401, 401), (viewer, 200, 403), (token, 200, 202)):
            console.headers = {"Authorization": f"Bearer {given}"} if given else {}
            assert (await console.get("/rollbacks")).status == read
            assert (await console.ask("GET", "/openapi.json")).status == read
            assert (await console.post("/executions", [])).status == change
        assert (await console.get("/rollbacks", Host="attacker.example")).status == 421
