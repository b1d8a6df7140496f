"""Freezes, rejections, waits and pins of all tools, with real workers: each verb and each refusal.

The freeze and the pin of all tools concern every test that uses the same workers, so one test does
everything about them, one after the other.
"""

import getpass
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from rollguard import ToolVersionManager
from rollguard.client import DeploymentRefused
from schemas.rollback import RollbackOutcome
from tests.support.inputs.messages import execution
from tests.support.systems.command_line import rollguard
from tests.support.systems.shared import Start
from tests.support.systems.system import System
from tests.support.systems.workers import Workers
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(450)

HOSTILE = "a\x1b[1mb\nc\td"
SHOWN = "a␛[1mb␊c␉d"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def _waiting(start_shared: Start, embedded_broker: str) -> AsyncIterator[Workers]:
    """Run the three roles; autonomous deployments wait after a person's rollback."""
    async with start_shared(
        *(embedded_broker, "detector", "applier", "recorder"),
        ROLLGUARD_WAIT_AFTER_MANUAL_ROLLBACK="true",
    ) as workers:
        yield workers


@pytest_asyncio.fixture
async def system(_waiting: Workers) -> AsyncIterator[System]:
    async with System.of(_waiting) as system:
        yield system


async def json_of(system: System, *words: str) -> Any:
    """Return what a verb prints as JSON; it must succeed."""
    answer = await rollguard(*words, "--json", env=system.environment())
    assert (answer.code, answer.err) == (0, "")
    return json.loads(answer.out)


async def text_of(system: System, *words: str) -> str:
    """Return what a verb prints; it must succeed."""
    answer = await rollguard(*words, env=system.environment())
    assert (answer.code, answer.err) == (0, "")
    return answer.out


async def error_of(system: System, *words: str, code: int = 1) -> str:
    """Return why a verb fails."""
    answer = await rollguard(*words, env=system.environment())
    assert (answer.code, answer.out) == (code, "")
    return answer.err


async def line_of(system: System, tool: str) -> str:
    """Return the line of the tool in the output of ``tools``."""
    lines = (await text_of(system, "tools")).splitlines()
    return next(line for line in lines if line.startswith(f"{tool}\t"))


async def all_stops_of(system: System, tool: str) -> list[dict[str, Any]]:
    """Return the stops of the tool alone, those that have ended included."""
    found = await json_of(system, "stops", "--tool", tool, "--ended")
    return [each for each in found if each["tool_name"] == tool]


async def test_freeze(system: System, tool: str, tmp_path: Path) -> None:
    assert f"{tool!r} has no versions" in await error_of(
        system, "freeze", tool, "--reason", "release"
    )
    await system.deploy(tool, "one")
    assert f"{tool!r} is not frozen" in await error_of(system, "unfreeze", tool)
    for wrong in (
        ("freeze", tool),
        ("freeze", "--reason", "x"),
        ("freeze", tool, "--all", "--reason", "x"),
        ("freeze", tool, "--reason", "x", "--for", "0s"),
        ("unfreeze",),
        ("unpin", tool, "--all"),
        ("pin", tool, "--all", "--reason", "x"),
    ):
        await error_of(system, *wrong, code=2)
    assert "reason: " in await error_of(system, "freeze", tool, "--reason", "x" * 2_001)
    assert "by: " in await error_of(system, "freeze", tool, "--reason", "x", "--by", "a\nb")

    before = datetime.now(UTC)
    frozen = await json_of(system, "freeze", tool, "--reason", HOSTILE, "--for", "2h")
    assert (frozen["kind"], frozen["tool_name"], frozen["reason"]) == ("freeze", tool, HOSTILE)
    assert frozen["set_by"] == getpass.getuser()
    ends = datetime.fromisoformat(frozen["expires_at"])
    assert 7_200 <= (ends - before).total_seconds() < 7_260

    file = tmp_path / "two.py"
    file.write_text("two")
    refused = await error_of(system, "deploy", tool, str(file), "--by", "autonomous")
    assert f"refused: frozen: frozen by {getpass.getuser()} at " in refused
    assert f"until {ends:%Y-%m-%dT%H:%M:%SZ}: {SHOWN}; a person may deploy" in refused
    with pytest.raises(DeploymentRefused) as told:
        async with ToolVersionManager(settings=system.settings) as manager:
            await manager.create_version(tool, "two", created_by="autonomous")
    outcome = told.value.outcome
    assert (outcome.status, outcome.refusal) == ("refused", "frozen")
    assert outcome.stopped is not None
    assert outcome.stopped.model_dump(mode="json") == frozen
    assert await json_of(system, "stops", "--tool", tool) == [frozen]
    assert f"freeze\t{tool}\t\t{SHOWN}\t" in await text_of(system, "stops")
    assert (await line_of(system, tool)).split("\t")[-1] == "frozen"
    assert (await json_of(system, "deploy", tool, str(file)))["version_number"] == 2

    ended = await json_of(system, "unfreeze", tool, "--by", "ben")
    assert (ended["ended_how"], ended["ended_by"]) == ("removed", "ben")
    assert (await system.deploy(tool, "three", created_by="autonomous")).status == "created"
    assert await json_of(system, "stops", "--tool", tool) == []
    assert await all_stops_of(system, tool) == [ended]
    versions = await json_of(system, "history", tool)
    assert [each["stops"] for each in versions] == [[], [ended], [ended]]
    shown = await text_of(system, "history", tool)
    assert f"frozen by {getpass.getuser()} at " in shown
    assert f": {SHOWN}, removed " in shown
    assert f"removed {datetime.fromisoformat(ended['ended_at']):%Y-%m-%dT%H:%M:%SZ} by ben" in shown


async def test_health_shows_what_is_in_force(system: System, tool: str) -> None:
    await system.deploy(tool, "one")
    await json_of(system, "freeze", tool, "--reason", "release", "--by", "ann")

    async def is_known() -> bool:
        return (await system.health(tool))[0] == 200

    await until(is_known)
    [stop] = (await json_of(system, "health", tool))["stops"]
    assert (stop["kind"], stop["set_by"]) == ("freeze", "ann")
    assert "frozen by ann at " in await text_of(system, "health", tool)
    assert "stops" not in await json_of(system, "check", tool)


async def test_reject(system: System, tool: str) -> None:
    first, second, third = [
        (await system.deploy(tool, code)).version_id for code in ("one", "two", "three")
    ]
    assert "has no version with the number v9" in await error_of(
        system, "reject", tool, "v9", "--reason", "x"
    )
    rejected = await json_of(system, "reject", tool, "v2", "--reason", "it lies", "--by", "ann")
    assert (rejected["version_id"], rejected["version_number"]) == (second, 2)
    assert (rejected["is_current"], rejected["way_back"]) == (False, None)
    refused = await system.deploy(tool, "two", created_by="autonomous")
    assert (refused.refusal, refused.version_id) == ("rejected", None)
    assert refused.stopped is not None
    assert (refused.stopped.set_by, refused.stopped.reason) == ("ann", "it lies")

    await system.run(*(execution(tool, "TypeError: no") for _ in range(2)))
    [record] = await system.records(system.topics.outcomes, 1, tool)
    outcome = RollbackOutcome.from_bytes(record.value)
    assert (outcome.from_version_id, outcome.to_version_id) == (third, first)

    shown = await text_of(system, "reject", tool, "v1", "--reason", "too")
    assert "this version is current, and stays so" in shown
    assert "there is no trusted version to roll back to" in shown
    assert (await line_of(system, tool)).split("\t")[-1] == "rejected"
    fourth = (await system.deploy(tool, "four")).version_id
    await system.deploy(tool, "five")
    rejected = await json_of(system, "reject", tool, "v5", "--reason", "too")
    assert rejected["is_current"]
    assert (rejected["way_back"]["version_id"], rejected["way_back"]["version_number"]) == (
        *(fourth, 4),
    )
    advice = await text_of(system, "reject", tool, "v5", "--reason", "again")
    assert f"`rollguard rollback {tool} v4 --reason TEXT`" in advice

    assert (await system.deploy(tool, "two")).status == "created"
    history = {each["version_number"]: each for each in await json_of(system, "history", tool)}
    [stop] = [each for each in history[2]["stops"] if each["kind"] == "rejection"]
    assert (stop["reason"], stop["ended_how"], stop["ended_by"]) == (
        *("it lies", "deployment", "human"),
    )
    assert history[2]["trusted"]
    assert [each["ended_how"] for each in history[5]["stops"]] == ["replaced", None]


async def test_resume(system: System, tool: str) -> None:
    for code in ("one", "two"):
        await system.deploy(tool, code)
    assert "is not waiting" in await error_of(system, "resume", tool)
    done = await json_of(system, "rollback", tool, "v1", "--reason", "it is slow", "--by", "ann")
    refused = await system.deploy(tool, "three", created_by="autonomous")
    assert refused.refusal == "waits_for_resume"
    assert refused.stopped is not None
    assert (refused.stopped.set_by, refused.stopped.reason) == ("ann", "it is slow")
    assert str(refused.stopped.command_id) == done["command_id"]
    assert (await line_of(system, tool)).split("\t")[-1] == "waits for resume"
    assert "autonomous deployments are allowed again" in await text_of(system, "resume", tool)
    assert (await system.deploy(tool, "three", created_by="autonomous")).status == "created"

    await json_of(system, "rollback", tool, "v1", "--reason", "it is slow")
    assert (await system.deploy(tool, "four")).status == "created", "a person has spoken again"
    assert (await system.deploy(tool, "five", created_by="autonomous")).status == "created"
    found = await all_stops_of(system, tool)
    assert [each["ended_how"] for each in found] == ["deployment", "removed"]


async def test_all_tools(system: System, tool: str, tmp_path: Path) -> None:
    a, b, later = (f"{tool}-{name}" for name in ("a", "b", "later"))
    for each in (a, b):
        for code in ("one", "two"):
            await system.deploy(each, code)
    assert "not all tools are frozen" in await error_of(system, "unfreeze", "--all")
    frozen = await json_of(system, "freeze", "--all", "--reason", "incident", "--by", "ann")
    assert frozen["tool_name"] is None
    for each in (a, later):
        refused = await system.deploy(each, "three", created_by="autonomous")
        assert refused.refusal == "frozen"
        assert refused.stopped is not None
        assert refused.stopped.model_dump(mode="json") == frozen
    assert "`unfreeze --all` ends that" in await error_of(system, "unfreeze", a)
    file = tmp_path / "three.py"
    file.write_text("three")
    assert "frozen with all tools by ann" in await error_of(
        system, "deploy", a, str(file), "--by", "autonomous"
    )
    await json_of(system, "unfreeze", "--all")
    assert (await system.deploy(later, "three", created_by="autonomous")).status == "created"

    pinned = await json_of(system, "pin", "--all", "--reason", "incident", "--by", "ann")
    assert (pinned["tool_name"], pinned["pinned_by"]) == (None, "ann")
    assert pinned in await json_of(system, "pins")
    assert await json_of(system, "pin", a) == await json_of(system, "pin", "--all") == pinned
    status = (await json_of(system, "status"))["postgres"]
    assert status["pinned_tools"] >= 3
    await system.run(*(execution(b, "TypeError: no") for _ in range(2)))
    [record] = await system.records(system.topics.outcomes, 1, b)
    assert RollbackOutcome.from_bytes(record.value).rejection == "pinned"
    await system.condemned(b)
    waits = (await json_of(system, "check", b))["waits_for"]
    assert waits.startswith("pinned with all tools until it is unpinned")
    assert "with all tools: `unpin --all` ends that" in await error_of(system, "unpin", b)
    assert "all tools: not pinned any more" in await text_of(system, "unpin", "--all")
    assert f"{b!r} is not pinned" in await error_of(system, "pin", b)
