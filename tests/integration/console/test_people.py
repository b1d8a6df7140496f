"""What waits for a person, what a person says against machines, and bad records, over HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from rollguard import DeploymentMonitor as DirectMonitor
from rollguard import ToolVersionManager as DirectManager
from rollguard.printing import json_text
from rollguard_client.http import Console as HttpConsole
from rollguard_client.http import (
    DeploymentMonitor,
    ToolVersionManager,
    blocking,
    follow_events,
)
from tests.support.consoles.console import Answer, Console, held_command
from tests.support.inputs.messages import execution
from tests.support.systems.command_line import said
from tests.support.systems.shared import Start
from tests.support.systems.system import System
from tests.support.systems.workers import Workers
from tests.support.waiting import until

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


async def has_judged(system: System, tool: str) -> bool:
    """Return whether the detector has judged an execution of the current version."""
    return bool((await system.health(tool))[1].get("recent"))


async def test_the_command_line_changes_things_through_it(
    console: Console, shared_system: System, tool: str, tmp_path: Path
) -> None:
    env, file = console.environment(), tmp_path / "code.py"

    async def done(*words: str, code: int = 0) -> Any:
        found = await said(*words, "--json", env=env)
        assert found.code == code, found
        return json.loads(found.out) if found.out else found.err

    deploy = ("deploy", tool, str(file))
    for text in ("one", "two"):
        file.write_text(text)
        made = await done(*deploy, "--by", "human", "--reason", "why", "--accept", "execute=meant")
    assert (made["version_number"], made["code"]) == (2, "two")
    assert made["accepted_breaks"][0]["reason"] == "meant"
    file.write_text("three")
    held = ("--by", "autonomous", "--check", "smoke=failed: no answer")
    assert "held: waits for a person" in await done(*deploy, *held, code=1)
    [waits] = await done("holds", "--tool", tool)
    approved = await done("approve", waits["deployment_id"][:8], "--by", "ann", "--tool", tool)
    assert (approved["status"], approved["version_number"]) == ("created", 3)
    file.write_text("four")
    await done(*deploy, *held, code=1)
    [waits] = await done("holds", "--tool", tool)
    refused = await done("dismiss", waits["deployment_id"], "--reason", "no", "--by", "ben")
    assert refused["refusal"] == "dismissed by ben: no"
    assert "not approved" in (await said("approve", waits["deployment_id"], env=env)).err

    back = await done("rollback", tool, "v1", "--reason", "slow", "--by", "ann")
    assert (back["status"], back["to_version_number"]) == ("applied", 1)
    assert (await done("explain", back["command_id"]))["issued_by"] == "ann"
    again = await done("rollback", tool, "v1", "--reason", "slow", code=1)
    assert again["rejection"] == "already_current"
    assert "frozen" not in await done(*deploy, *held, code=1)
    assert (await done("resume", tool))["kind"] == "wait"
    assert (await done("freeze", tool, "--reason", "audit", "--for", "1h"))["kind"] == "freeze"
    assert "audit" in await done(*deploy, *held, code=1)
    assert (await done("unfreeze", tool))["ended_how"] == "removed"
    assert (await done("pin", tool, "--reason", "sale", "--by", "ann"))["pinned_by"] == "ann"
    assert (await done("unpin", tool))["reason"] == "sale"
    rejected = await done("reject", tool, "v2", "--reason", "it leaks")
    assert (rejected["version_number"], rejected["is_current"]) == (2, False)

    [failed] = (await done("record", tool, "--error", "ValueError: no"))["published"]
    lines = tmp_path / "lines.jsonl"
    entries = [execution(tool).to_bytes(), b"{}", execution(tool).to_bytes()]
    lines.write_bytes(b"\n".join(entries))
    recorded = await done("record", "--jsonl", str(lines), code=1)
    assert len(recorded["published"]) == 2
    assert [each["number"] for each in recorded["rejected"]] == [2]
    await shared_system.executions_recorded(tool, 3)
    judged = await done("verdict", tool, recorded["published"][0], "--bad", "--by", "ann")
    assert (judged["by"], judged["version_id"]) == ("ann", back["to_version_id"])
    assert "is not recorded" in await done("verdict", tool, str(uuid4()), "--bad", code=1)
    await until(lambda: has_judged(shared_system, tool))
    assert (await done("health", tool))["recent"][0]["execution_id"] is not None
    assert failed != recorded["published"][0]
    assert await done("replay", "--all", "--tool", tool) == {
        "replayed": [],
        "refused": [],
        "unpublished": 0,
    }


async def test_managers_return_the_same_through_it(
    console: Console, shared_system: System, tool: str
) -> None:
    codes = ["def execute(a): return a", "def execute(a, b): return a"]
    async with DirectManager(settings=shared_system.settings) as direct:
        through = ToolVersionManager(url=console.url)
        first = await through.create_version(tool, codes[0], created_by="autonomous")
        assert await direct.create_version(tool, codes[0]) == first
        given = uuid4()
        for _ in range(2):
            second = await through.create_version(
                tool, codes[1], previous_version_id=first, deployment_id=given
            )
        with pytest.raises(ValueError, match="previous_version_id"):
            await through.create_version(tool, "x", previous_version_id=first)
        with pytest.raises(ValueError, match="improvement_type"):
            await through.create_version(tool, "x", improvement_type="x" * 51)
        await shared_system.run(*(execution(tool, "TypeError: no") for _ in range(2)))
        await shared_system.executions_recorded(tool, 2)

        async def judged() -> bool:
            return bool((await console.get(f"/tools/{tool}")).body["version_number"] == 1)

        await until(judged)  # the detector has rolled it back
        ask: Any
        for ask in (
            lambda manager: manager.get_current_version(tool),
            lambda manager: manager.get_version_history(tool, 1),
            lambda manager: manager.get_current_version(f"{tool}-none"),
            lambda manager: manager.get_version_history(f"{tool}-none"),
            lambda manager: manager.compare_versions(tool, first, second),
            lambda manager: manager.check_immediate_rollback_needed(tool),
            lambda manager: manager.update_version_metrics(tool, second),
            lambda manager: manager.rollback_to_version(tool, first, "x", command_id=given),
        ):
            assert plain(await ask(through)) == plain(await ask(direct))
        result = await through.rollback_to_version(tool, second, "x", issued_by="ann")
        assert (result["success"], result["rolled_back_to_version"]) == (True, 2)
        await shared_system.activation_judged(tool, 4)
        watched, own = DeploymentMonitor(url=console.url), DirectMonitor(version_manager=direct)
        health = await watched.check_health(tool, "s")
        assert health.keys() >= (await own.check_health(tool, "s")).keys()
        nothing = await own.auto_rollback_if_needed(tool, "s")
        assert await watched.auto_rollback_if_needed(tool, "s") == nothing
        await shared_system.run(*(execution(tool, "TypeError: no") for _ in range(2)))
        for monitor in (watched, own):
            done = await monitor.auto_rollback_if_needed(tool, "s")
            assert done["session_id"] == "s"
        await until(judged)
        blocked = blocking.ToolVersionManager(url=console.url)
        current = await asyncio.to_thread(blocked.get_current_version, tool)
        assert current is not None
        assert current["version_number"] == 1


def plain(found: Any) -> Any:
    """Return what a manager returned, with the times and ids of its parts as texts."""
    return json.loads(json_text(found))


async def test_events_are_followed_through_it(
    console: Console, shared_system: System, tool: str
) -> None:
    events = follow_events(HttpConsole(console.url), "r-d")
    await shared_system.deploy(tool, "one")
    async for event in events:
        if event.data.get("tool_name") == tool:
            break
    assert (event.kind, event.data["status"]) == ("deployment", "created")
    await shared_system.deploy(tool, "two")
    async for later in follow_events(HttpConsole(console.url), event.id):
        if later.data.get("tool_name") == tool:
            break
    assert later.data["version_number"] == 2
