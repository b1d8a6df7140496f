"""Lists of the console: tools, versions, executions, rollbacks, engines and dead letters."""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest

from rollguard.operations.connection import connection
from rollguard.refusal import require_version
from schemas.engine_report import EngineReport
from tests.support.consoles.console import Answer, Console
from tests.support.inputs.messages import command_by_ann, execution
from tests.support.inputs.stored import begin_stop
from tests.support.systems.command_line import rollguard
from tests.support.systems.system import System
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(450)


async def pages(console: Console, path: str, name: str) -> list[list[dict[str, Any]]]:
    """Return the items of each page of a list."""
    found, cursor = [], ""
    while True:
        answer = await console.get(f"{path}{cursor}")
        assert answer.status == 200, answer
        found.append(answer.body[name])
        if answer.body["next_cursor"] is None:
            return found
        cursor = f"&cursor={answer.body['next_cursor']}"


async def test_all_tools_at_a_glance(console: Console, shared_system: System, tool: str) -> None:
    names = [f"{tool}-{letter}" for letter in "ABC"]
    for name in names:
        await shared_system.deploy(name, "one")
    await shared_system.run(
        execution(names[0]), execution(names[1]), execution(names[1], "ValueError: no")
    )
    async with connection(shared_system.settings) as conn:
        await begin_stop(conn, "pin", names[2])
    found: list[dict[str, Any]] = []

    async def known() -> bool:
        nonlocal found
        answer = await console.get(f"/tools?q={tool.upper()}")
        assert answer.body["source"] == "postgres"
        found = answer.body["tools"]
        judged = [each["state"] for each in found] == ["healthy", "suspect", "unjudged"]
        return judged and [each["total_executions"] for each in found] == [1, 2, 0]

    await until(known)
    assert [each["tool_name"] for each in found] == names
    assert [each["pinned"] for each in found] == [False, False, True]
    assert [each["success_rate"] for each in found] == [1.0, 0.5, None]
    assert found[0]["as_of"] is not None
    assert found[0]["version_number"] == found[0]["activation"] == 1
    by_one = await pages(console, f"/tools?q={tool}&limit=1", "tools")
    assert [[each["tool_name"] for each in page] for page in by_one] == [[name] for name in names]
    [[suspect]] = await pages(console, f"/tools?q={tool}&state=suspect", "tools")
    assert suspect["tool_name"] == names[1]
    two = await pages(console, f"/tools?q={tool}&state=healthy&limit=1", "tools")
    assert [[each["tool_name"] for each in page] for page in two] == [[names[0]]]


async def test_versions_and_their_comparison(
    console: Console, shared_system: System, tool: str
) -> None:
    codes = ["def execute(a):\n    return a\n", "def execute(a, b):\n    return a\n", "three"]
    for code in codes:
        await shared_system.deploy(tool, code)
    found = await pages(console, f"/tools/{tool}/versions?limit=2", "versions")
    assert [[each["version_number"] for each in page] for page in found] == [[3, 2], [1]]
    [_, second], [first] = found
    assert second["code"] == codes[1]
    one = await console.get(f"/tools/{tool}/versions/{second['version_id']}")
    assert one.body == second | {"previous_version_number": 1}
    compared = await console.get(f"/tools/{tool}/compare?from=v1&to={second['version_id']}")
    assert compared.body["is_breaking_change"]
    assert "+def execute(a, b):" in compared.body["code_diff"]
    assert compared.body["from_version"]["version_id"] == first["version_id"]
    assert compared.body["from_metrics"]["success_rate"] is None  # JSON has no NaN


async def test_executions(console: Console, shared_system: System, tool: str) -> None:
    await shared_system.deploy(tool, "one")
    sent = [execution(tool, "ValueError: no" if number == 1 else None) for number in range(4)]
    await shared_system.run(*sent)
    await shared_system.executions_recorded(tool, 4)
    found = await pages(console, f"/tools/{tool}/executions?limit=3", "executions")
    assert [[each["execution_id"] for each in page] for page in found] == [
        [str(each.execution_id) for each in page] for page in (sent[:0:-1], sent[:1])
    ]
    [[failed]] = await pages(console, f"/tools/{tool}/executions?success=false", "executions")
    assert failed["error_type"] == "ValueError"
    version = failed["version_id"]
    of_version = f"/tools/{tool}/executions?version_id={version}&success=true&limit=2"
    assert [len(page) for page in await pages(console, of_version, "executions")] == [2, 1]
    none = await console.get(f"/tools/{tool}/executions?version_id={version + 1_000_000}")
    assert none.body == {"executions": [], "next_cursor": None}


async def test_rollbacks_and_why(console: Console, shared_system: System, tool: str) -> None:
    await shared_system.deploy(tool, "one")
    await shared_system.deploy(tool, "two")
    await shared_system.run(*(execution(tool, "ValueError: no") for _ in range(3)))

    async def rolled_back() -> bool:
        found = (await console.get(f"/rollbacks?tool={tool}")).body["rollbacks"]
        return bool(found) and bool(found[0]["to_version_number"] == 1)

    await until(rolled_back)
    await shared_system.executions_recorded(tool, 3)
    command = command_by_ann(tool, to_version_id=1_000_000)
    await shared_system.send(shared_system.topics.commands, tool, command)

    async def rejected() -> bool:
        found = (await console.get(f"/rollbacks?tool={tool}")).body["rollbacks"]
        return [each["status"] for each in found] == ["rejected", "applied"]

    await until(rejected)
    by_one = await pages(console, f"/rollbacks?tool={tool}&limit=1", "rollbacks")
    assert [[each["status"] for each in page] for page in by_one] == [["rejected"], ["applied"]]
    [[applied]] = await pages(console, f"/rollbacks?tool={tool}&status=applied", "rollbacks")
    assert await pages(console, "/rollbacks?since=2100-01-01T00:00:00Z", "rollbacks") == [[]]
    assert applied.pop("cost") is None
    why = (await console.get(f"/rollbacks/{applied['command_id']}")).body
    assert why | applied == why
    assert "newest 3" in why["rule"]
    assert [each["error"] for each in why["executions"]] == ["ValueError: no"] * 3
    assert why["failures"]["failures"] == 3
    await shared_system.run(execution(tool), execution(tool))

    async def spared() -> bool:
        found = (await console.get(f"/rollbacks/{applied['command_id']}")).body
        return found["cost"]["spared"] is not None and found["cost"]["after"]["executions"] == 2

    await until(spared)
    one = (await console.get(f"/rollbacks/{applied['command_id']}")).body
    assert (one["cost"]["failures"], one["cost"]["spared"]["calls"]) == (3, 2.0)
    assert one["affected"]["sessions"] == {"number": 0, "most": [], "without_name": 3}
    costs = f"/rollbacks?tool={tool}&costs=true"
    listed = (await console.get(costs)).body
    assert [each["cost"] for each in listed["rollbacks"]] == [None, one["cost"]]
    assert (listed["total"]["rollbacks"], listed["total"]["failures"]) == (1, 3)
    for more, statuses in (
        ("tier=manual", ["rejected"]),
        (f"until={quote(applied['applied_at'])}", ["applied"]),
    ):
        some = (await console.get(f"{costs}&{more}")).body["rollbacks"]
        assert [each["status"] for each in some] == statuses


async def test_which_engine_runs_which_version(
    console: Console, shared_system: System, tool: str
) -> None:
    made = [require_version(await shared_system.deploy(tool, code)) for code in ("one", "two")]
    for engine_id, number in (("e1", 2), ("e7", 1), ("e8", 1)):
        report = EngineReport(
            engine_id=engine_id,
            tool_name=tool,
            version_id=made[number - 1],
            version_number=number,
            activation=number,
            ok=True,
            loaded_at=datetime.now(UTC),
        )
        await shared_system.send(shared_system.topics.reports, report.key.decode(), report)
    found: list[dict[str, Any]] = []

    async def heard() -> bool:
        nonlocal found
        found = (await console.get(f"/engines?tool={tool}")).body["engines"]
        return [each["engine_id"] for each in found] == ["e1", "e7", "e8"]

    await until(heard)
    assert [each["state"] for each in found] == ["current", "stale", "stale"]
    assert [each["version_id"] for each in found] == [made[1], made[0], made[0]]
    printed = await rollguard("engines", "--tool", tool, "--json", env=shared_system.environment())
    assert json.loads(printed.out) == found
    by_one = await pages(console, f"/engines?tool={tool}&limit=1", "engines")
    assert by_one == [[each] for each in found]
    stale = await pages(console, f"/engines?tool={tool}&stale=true&limit=1", "engines")
    assert stale == [[each] for each in found[1:]]
    health = f"/tools/{tool}/health"

    async def counted() -> bool:
        expected = {"current": 1, "stale": 2, "failed": 0}
        return bool((await console.get(health)).body.get("engines") == expected)

    await until(counted)


async def test_dead_letters_and_the_system(
    console: Console, shared_system: System, tool: str
) -> None:
    topics = shared_system.topics
    await shared_system.send(topics.executions, tool, b"{}", b"[]")
    found: Answer | None = None

    async def listed() -> bool:
        nonlocal found
        found = await console.get(f"/dead-letters?tool={tool}")
        return bool(found.body["matching"] == 2)

    await until(listed, 60)
    assert found is not None
    assert found.body["dead_letters"][0]["topic"] == topics.executions
    by_one = await pages(console, f"/dead-letters?tool={tool}&limit=1", "dead_letters")
    assert [page[0]["id"] for page in by_one] == [each["id"] for each in found.body["dead_letters"]]
    system: dict[str, Any] = {}

    async def all_run() -> bool:  # the detector is the only one that is waited for at the start
        nonlocal system
        system = (await console.get("/system")).body
        return all(each["workers"] for each in system["roles"])

    await until(all_run)
    assert {each["role"]: len(each["workers"]) for each in system["roles"]} == {
        "detector": 1,
        "applier": 1,
        "recorder": 1,
    }
    assert system["kafka"]["topic_prefix"] == shared_system.settings.topic_prefix
