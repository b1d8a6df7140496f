"""What waits for a person, what a person says against machines, and bad records, over HTTP."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from tests.support.console import Answer, Console, held_command
from tests.support.messages import execution
from tests.support.shared import Start
from tests.support.system import System
from tests.support.waiting import until
from tests.support.workers import Workers

pytestmark = pytest.mark.timeout(450)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def _three_roles(start_shared: Start, embedded_broker: str) -> AsyncIterator[Workers]:
    """Hold a machine's deployment whose check has failed, and wait after a person's rollback."""
    roles = ("detector", "applier", "recorder")
    more = {"ROLLGUARD_GATE": "hold", "ROLLGUARD_WAIT_AFTER_MANUAL_ROLLBACK": "true"}
    async with start_shared(embedded_broker, *roles, **more) as workers:
        yield workers


async def held_deployment(console: Console, tool: str, code: str) -> str:
    """Deploy as a machine does, and return the id of the deployment, which waits."""
    failed = {"name": "smoke", "ok": False, "detail": "no answer"}
    found = await console.post(
        f"/tools/{tool}/deployments", {"code": code, "created_by": "autonomous", "checks": [failed]}
    )
    assert (found.status, found.body["status"]) == (202, "held")
    return str(found.body["deployment_id"])


async def test_held_deployments_are_answered(
    console: Console, shared_system: System, tool: str
) -> None:
    await shared_system.deploy(tool, "one")
    held = await held_deployment(console, tool, "two")
    [waits] = (await console.get(f"/holds?tool={tool}")).body["holds"]
    assert (waits["kind"], waits["held_id"], waits["rollback"]) == ("deployment", held, None)
    assert "smoke" in waits["deployment"]["findings"][0]
    shown = (await console.get(f"/holds/{held[:13]}")).body
    assert (shown["waits"], shown["code"], shown["held_id"]) == (True, "two", held)
    path = f"/deployments/{held}"
    approved = await console.post(f"{path}/approve", {"approved_by": "ann"})
    assert (approved.status, approved.body["status"]) == (200, "created")
    assert (await console.post(f"{path}/approve", {})).body == approved.body
    too_late = await console.post(f"{path}/dismiss", {})
    assert (too_late.status, too_late.body["outcome"]["status"]) == (409, "created")
    assert "not dismissed: created before" in too_late.body["detail"]
    shown = (await console.get(f"/holds/{held}?tool={tool}")).body
    assert (shown["waits"], shown["code"]) == (False, None)
    assert shown["deployment"]["approved_by"] == "ann"

    held = await held_deployment(console, tool, "three")
    path = f"/deployments/{held}"
    said = {"dismissed_by": "ben", "dismissal": "not tonight"}
    dismissed = await console.post(f"{path}/dismiss?tool={tool}", said)
    assert dismissed.status == 200
    assert "dismissed by ben: not tonight" in dismissed.body["refusal"]
    late = await console.post(f"{path}/approve", {})
    assert (late.status, late.body["type"]) == (409, "urn:rollguard:problem:refused")
    assert (await console.get(f"/holds?tool={tool}")).body["holds"] == []
    for wrong in (f"/deployments/{uuid4()}/approve", f"/deployments/{uuid4()}/dismiss"):
        assert (await console.post(wrong, {})).status == 404
    assert (await console.get(f"/holds/{uuid4()}")).status == 404
    assert (await console.get("/holds/x")).status == 422


async def test_all_that_waits_is_one_list(
    console: Console, shared_system: System, tool: str
) -> None:
    for code in ("one", "two"):
        await shared_system.deploy(tool, code)
    deployment = await held_deployment(console, tool, "three")
    command = await held_command(shared_system, console, tool)
    first = (await console.get(f"/holds?tool={tool}&limit=1")).body
    [rollback] = first["holds"]
    assert (rollback["kind"], rollback["held_id"]) == ("rollback", str(command.command_id))
    assert rollback["rollback"]["rule"].startswith("at least 10 executions")
    second = (await console.get(f"/holds?tool={tool}&limit=1&cursor={first['next_cursor']}")).body
    assert [each["held_id"] for each in second["holds"]] == [deployment]
    assert second["next_cursor"] is None
    shown = (await console.get(f"/holds/{command.command_id}")).body
    assert (shown["kind"], shown["waits"]) == ("rollback", True)
    beginning = str(command.command_id)[:13]
    assert (await console.get(f"/rollbacks/{beginning}")).body["status"] == "held"
    assert (await console.get("/holds?cursor=W10")).status == 422


async def put(console: Console, path: str, body: Any) -> Answer:
    return await console.ask("PUT", f"/api/v1{path}", body)


async def delete(console: Console, path: str) -> Answer:
    return await console.ask("DELETE", f"/api/v1{path}")


async def test_all_tools_are_pinned_and_frozen(
    console: Console, shared_system: System, tool: str
) -> None:
    await shared_system.deploy(tool, "one")
    assert (await console.get("/pin")).status == 404
    for what, by in (("pin", "pinned_by"), ("freeze", "set_by")):
        said = {"reason": "not tonight", by: "ann"}
        first = await put(console, f"/{what}", said)
        assert (first.status, first.body["tool_name"]) == (200, None), first
        assert (await put(console, f"/{what}", said)).body == first.body
        shown = (await console.get(f"/tools/{tool}")).body
        assert shown["pinned" if what == "pin" else "frozen"]
        of_tool = await delete(console, f"/tools/{tool}/{what}")
        assert (of_tool.status, "with all tools" in of_tool.body["detail"]) == (404, True)
    assert (await console.get("/pin")).body == (await console.get(f"/tools/{tool}/pin")).body
    own = await put(console, f"/tools/{tool}/freeze", {"reason": "its own"})
    assert (own.body["kind"], own.body["tool_name"]) == ("freeze", tool)
    listed = (await console.get(f"/stops?tool={tool}")).body["stops"]
    assert [(each["kind"], each["tool_name"]) for each in listed] == [
        ("freeze", tool),
        ("freeze", None),
        ("pin", None),
    ]
    page = (await console.get(f"/stops?tool={tool}&kind=freeze&limit=1")).body
    rest = (await console.get(f"/stops?kind=freeze&cursor={page['next_cursor']}")).body
    assert [each["tool_name"] for each in page["stops"] + rest["stops"]] == [tool, None]
    for path in ("/pin", "/freeze", f"/tools/{tool}/freeze"):
        assert (await delete(console, f"{path}?by=ben")).status == 200, path
        assert (await delete(console, path)).status == 404, path
    assert (await console.get(f"/stops?tool={tool}")).body["stops"] == []
    ended = (await console.get(f"/stops?tool={tool}&ended=true")).body["stops"]
    assert [each["ended_by"] for each in ended] == ["ben"] * 3
    past = {"expires_at": "2001-01-01T00:00:00Z"}
    assert (await put(console, "/freeze", past)).status == 422


async def test_a_version_is_rejected_and_a_wait_is_ended(
    console: Console, shared_system: System, tool: str
) -> None:
    for code in ("one", "two"):
        await shared_system.deploy(tool, code)
    assert (await console.post(f"/tools/{tool}/resume", {})).status == 404
    done = await console.post(f"/tools/{tool}/rollbacks", {"to_version_number": 1})
    assert done.status == 200
    resumed = await console.post(f"/tools/{tool}/resume", {"resumed_by": "ann"})
    assert (resumed.status, resumed.body["kind"]) == (200, "wait")
    path = f"/tools/{tool}/versions/v2/reject"
    rejected = await console.post(path, {"reason": "it leaks", "set_by": "ann"})
    assert (rejected.body["is_current"], rejected.body["way_back"]) == (False, None)
    assert (rejected.body["kind"], rejected.body["version_number"]) == ("rejection", 2)
    current = (await console.post(f"/tools/{tool}/versions/v1/reject", {})).body
    assert current["is_current"]
    assert (await console.post(f"/tools/{tool}/versions/v9/reject", {})).status == 404
    shown = (await console.get(f"/tools/{tool}/versions/v2")).body
    assert (shown["version_number"], shown["previous_version_number"]) == (2, 1)
    assert [each["kind"] for each in shown["stops"]] == ["rejection"]


async def test_a_verdict_on_an_execution(
    console: Console, shared_system: System, tool: str
) -> None:
    version = (await shared_system.deploy(tool, "one")).version_id
    ran = execution(tool, version_id=version)
    path = f"/tools/{tool}/executions/{ran.execution_id}/verdicts"
    assert (await console.post(path, {"bad": True})).status == 422  # nobody knows its version
    await shared_system.send(shared_system.topics.executions, tool, ran)
    await shared_system.executions_recorded(tool, 1)
    said = await console.post(path, {"bad": True, "by": "ann", "why": "the total is wrong"})
    assert (said.status, said.body["version_id"]) == (202, version)
    again = await console.post(path, {"bad": True, "by": "ann"})
    assert again.body["verdict_id"] == said.body["verdict_id"]

    async def counted() -> bool:
        found = (await console.get(f"/tools/{tool}")).body["version"]
        return bool(found["later_verdicts"]["bad"] == 1)

    await until(counted)


async def test_bad_records_by_cause_and_their_replay(
    console: Console, shared_system: System, tool: str
) -> None:
    await shared_system.deploy(tool, "one")
    topic = shared_system.topics.executions
    early = [execution(tool, executed_at=datetime.now(UTC) + timedelta(seconds=61))]
    bad = [each.to_bytes() for each in early * 2]
    await shared_system.send(topic, tool, *bad, b"{}")
    found: Answer | None = None

    async def known() -> bool:
        nonlocal found
        found = await console.get(f"/dead-letters/causes?tool={tool}")
        return bool(found.body["records"] == 3)

    await until(known, 60)
    assert found is not None
    assert sorted(each["records"] for each in found.body["causes"]) == [1, 2]
    cause = next(each for each in found.body["causes"] if each["records"] == 2)
    assert (cause["topic"], cause["tools"], cause["role"]) == (topic, [tool], "detector")
    wanted = {"cause": cause["cause"], "tool": tool}
    listed = (await console.get(f"/dead-letters?tool={tool}")).body["dead_letters"]
    assert [each["cause"] for each in listed].count(cause["cause"]) == 2
    shown = (await console.get(f"/dead-letters/{cause['newest']}")).body
    assert (shown["key"], json.loads(shown["value"])["tool_name"]) == (tool, tool)

    async def replayed() -> Answer:
        return await console.post("/dead-letters/replay", wanted | {"limit": 1})

    first: Answer | None = None

    async def in_time() -> bool:  # the time that was ahead comes
        nonlocal first
        first = await replayed()
        return bool(first.body["replayed"])

    await until(in_time, 90)
    assert first is not None
    assert first.body["next_cursor"] is not None
    rest = await console.post(
        "/dead-letters/replay", wanted | {"cursor": first.body["next_cursor"]}
    )
    done = first.body["replayed"] + rest.body["replayed"] + rest.body["refused"]
    assert {each["id"] for each in done} == {
        each["id"] for each in listed if each["cause"] == cause["cause"]
    }
    again = await console.post("/dead-letters/replay", {"id": done[0]["id"]})
    assert again.body["replayed"] == []
    assert "was replayed" in again.body["refused"][0]["reason"]
    for wrong in ({}, {"id": "x"}, {"id": cause["newest"], "all": True}, {"all": False}):
        assert (await console.post("/dead-letters/replay", wrong)).status == 422, wrong
    unknown = await console.post("/dead-letters/replay", {"id": f"{topic}:0:999999"})
    assert unknown.status == 404
    assert (await console.get(f"/dead-letters/{topic}:0:999999")).status == 404
    assert (await console.get("/dead-letters/x")).status == 422
