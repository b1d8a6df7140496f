"""Policy `guarded` with real workers: what the applier sees of all tools together."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from streams.partitions import partition_of
from tests.support.inputs.messages import execution
from tests.support.systems.command_line import rollguard
from tests.support.systems.system import System
from tests.support.waiting import until

ERROR = "ConnectionError: no route to host"


@pytest_asyncio.fixture
async def system(
    embedded_broker: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> AsyncIterator[System]:
    """Provide all roles; the fleet's brake allows two rollbacks."""
    async with System.started(
        *(embedded_broker, database_dsn, topic_prefix, tmp_path),
        ("detector", "applier", "recorder"),
        ROLLGUARD_POLICY="guarded",
        ROLLGUARD_FLEET_BUDGET="2",
    ) as running:
        yield running


def tools_of_each_partition(system: System, number: int) -> list[str]:
    """Return so many tools of each partition: the first of all partitions, then the second."""
    partitions = system.settings.partitions
    found: dict[int, list[str]] = {}
    for name in (f"tool-{n}" for n in range(1_000)):
        found.setdefault(partition_of(name.encode(), partitions), []).append(name)
    return [found[partition][n] for n in range(number) for partition in range(partitions)]


async def deployed(system: System, tools: list[str]) -> None:
    """Deploy two versions of each tool: the first succeeds 40 times, the second twice."""
    for code, times in (("good = 1", 40), ("good = 2", 2)):
        for tool in tools:
            await system.deploy(tool, code, created_by="autonomous")
        for _ in range(times):
            await system.run(*(execution(tool) for tool in tools))


async def fail(system: System, tools: list[str]) -> None:
    """Fail each tool once, and again when that is recorded."""
    for number in range(21):
        await system.run(*(execution(tool, ERROR) for tool in tools))
        if number in (0, 20):
            for tool in tools:
                await system.executions_recorded(tool, 42 + number + 1)


async def outcomes(system: System) -> dict[str, list[str]]:
    rows = await system.query(
        "select tool_name, coalesce(hold_reason, rejection, status) as what from rollbacks"
    )
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row["what"], []).append(row["tool_name"])
    return {what: sorted(set(names)) for what, names in found.items()}


@pytest.mark.timeout(360)
async def test_the_brake_holds_and_says_so(system: System) -> None:
    """Three of sixteen tools break at once: they are no outage."""
    tools = tools_of_each_partition(system, 4)
    await deployed(system, tools)
    await fail(system, broken := tools[:3])

    async def are_decided() -> bool:
        return sum(map(len, (await outcomes(system)).values())) == 3

    await until(are_decided)
    found = await outcomes(system)
    assert (len(found["applied"]), len(found["fleet_budget"])) == (2, 1)
    [tool] = found["fleet_budget"]
    assert tool in broken
    env = system.environment()
    await system.condemned(tool)
    check = json.loads((await rollguard("check", tool, "--json", env=env)).out)
    assert "so many tools were rolled back in a short time" in check["waits_for"]

    async def is_counted() -> bool:  # the applier counts it after it has published the outcome
        return "rollguard_fleet_holds_total 1.0" in await system.metrics("applier")

    await until(is_counted)
    assert await system.is_ready("applier")
    held = json.loads((await rollguard("holds", "--json", env=env)).out)
    assert [(each["tool_name"], each["hold_reason"]) for each in held] == [(tool, "fleet_budget")]
    approved = await rollguard("approve", held[0]["command_id"], env=env)
    assert approved.code == 0, approved.err


@pytest.mark.timeout(360)
async def test_an_outage_of_two_tools_in_each_partition_rolls_nothing_back(system: System) -> None:
    """No detector can recognise it. A tool that stays broken is rolled back afterwards."""
    tools = tools_of_each_partition(system, 2)
    await deployed(system, tools)
    await fail(system, tools)

    # The outcome is published after the log says that the command is withdrawn.
    for tool in tools:
        await system.records(system.topics.outcomes, 1, tool)
    assert (await outcomes(system)) == {"outage": sorted(tools)}
    for tool in tools[1:]:
        await system.run(execution(tool))
        await system.executions_recorded(tool, 42 + 21 + 1)
    for _ in range(20):
        await system.run(*(execution(tool, ERROR if tool == tools[0] else None) for tool in tools))

    async def is_rolled_back() -> bool:
        return (await outcomes(system)).get("applied") == tools[:1]

    await until(is_rolled_back)
    assert "fleet_budget" not in await outcomes(system)
