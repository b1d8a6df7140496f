"""Policy `guarded` with real workers: an outage, and a caller that fails again and again.

An outage is one of a topic partition, so each test has a partition of its own.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count
from uuid import uuid4

from schemas.execution import Execution
from schemas.rollback import RollbackCommand
from streams.partitions import partition_of
from tests.support.inputs.messages import execution
from tests.support.systems.command_line import rollguard
from tests.support.systems.system import System
from tests.support.waiting import until

ERROR = "ConnectionError: no route to host"


def tools_of(system: System, partition: int, number: int) -> list[str]:
    names = (f"tool-{n}" for n in range(1_000))
    partitions = system.settings.partitions
    return [name for name in names if partition_of(name.encode(), partitions) == partition][:number]


async def deployed(system: System, tools: Sequence[str]) -> None:
    """Deploy two versions of each tool: the first failed now and then, the second never did."""
    for tool in tools:
        await system.deploy(tool, "good = 1")
    for number in range(100):
        failing = {tools[number // 20 % len(tools)]} if number % 20 == 19 else set()
        await system.run(*(execution(t, ERROR if t in failing else None) for t in tools))
    for tool in tools:
        await system.deploy(tool, "good = 2", created_by="autonomous")
    await system.run(*(execution(tool) for tool in tools for _ in range(2)))


async def rolled_back(system: System, tools: Sequence[str]) -> list[str]:
    """Return those of the tools that were rolled back."""
    sql = "SELECT tool_name FROM rollbacks WHERE status = 'applied' AND tool_name = any($1)"
    rows = await system.query(sql, tools)
    return [row["tool_name"] for row in rows]


async def until_rolled_back(system: System, failing: Execution, callers: bool = False) -> None:
    """Let a tool fail again and again until it is rolled back.

    Tools that failed in the test before may be taken for an outage of the whole fleet for some
    seconds. A rollback that is rejected then is commanded again when the tool fails again.
    """
    numbers = count()

    async def is_rolled_back() -> bool:
        again = failing.model_copy(
            update={"execution_id": uuid4(), "executed_at": datetime.now(UTC)}
        )
        await system.run(called(again, f"caller-{next(numbers)}") if callers else again)
        return failing.tool_name in await rolled_back(system, [failing.tool_name])

    await until(is_rolled_back)


async def outages(system: System) -> float:
    """Return how many outages the detector has seen."""
    name = "rollguard_outages_total"
    [line] = [
        each
        for each in (await system.metrics("detector")).splitlines()
        if each.startswith(f"{name} ")
    ]
    return float(line.removeprefix(name))


async def lasting_outages(system: System) -> set[int]:
    """Return the partitions whose outage lasts, as the detector says it."""
    status, said = await system.page("detector", "/outages")
    assert (status, said["unanswered"]) == (200, [])
    assert {each["partition"] for each in said["partitions"]} == {0, 1, 2, 3}
    return {each["partition"] for each in said["partitions"] if each["since"] is not None}


async def test_an_outage_rolls_back_only_what_stays_broken_after_it(guarded: System) -> None:
    tools = tools_of(guarded, 0, 6)
    before = await outages(guarded)
    await deployed(guarded, tools)
    for _ in range(20):
        await guarded.run(*(execution(tool, ERROR) for tool in tools))

    async def outage_is_shown() -> bool:
        answer = await rollguard("health", tools[1], "--json", env=guarded.environment())
        return bool(json.loads(answer.out)["outage"])

    await until(outage_is_shown)
    assert (await guarded.health("%00outages"))[
        0
    ] == 404  # it is a row of the table, but not of a tool
    page = await guarded.metrics("detector")
    assert 'rollguard_outage{partition="0"} 1.0' in page
    assert await lasting_outages(guarded) == {0}
    assert await outages(guarded) == before + 1
    assert await rolled_back(guarded, tools) == []
    for _ in range(20):
        await guarded.run(*(execution(tool, ERROR if tool == tools[0] else None) for tool in tools))

    await until_rolled_back(guarded, execution(tools[0], ERROR))
    assert await rolled_back(guarded, tools) == tools[:1]

    async def outage_is_over() -> bool:  # the detector says so after it has sent the command
        return not await lasting_outages(guarded)

    await until(outage_is_over)
    answer = await rollguard("health", tools[1], "--json", env=guarded.environment())
    assert json.loads(answer.out)["outage"] is None
    assert 'rollguard_outage{partition="0"} 0.0' in await guarded.metrics("detector")
    assert await lasting_outages(guarded) == set()


async def test_failures_of_tools_that_nobody_deployed_are_no_outage(guarded: System) -> None:
    """An attacker who may publish executions cannot keep a broken version by them."""
    first, *_ = tools = tools_of(guarded, 1, 6)
    nobody = tools_of(guarded, 1, 200)[6:]
    before = await outages(guarded)
    await deployed(guarded, tools)
    for number in range(20):
        await guarded.run(*(execution(name, ERROR) for name in nobody[number::4]))
        await guarded.run(*(execution(tool, ERROR if tool == first else None) for tool in tools))

    await until_rolled_back(guarded, execution(first, ERROR))
    assert await rolled_back(guarded, tools) == [first]
    assert await outages(guarded) == before


async def test_one_producer_makes_no_outage_while_others_are_well(guarded: System) -> None:
    first, *_ = tools = tools_of(guarded, 2, 6)
    before = await outages(guarded)
    await deployed(guarded, tools)

    def by(session: str, tool: str, error: str | None = None) -> Execution:
        return execution(tool, error).model_copy(update={"session_id": session})

    for number in range(20):
        await guarded.run(*(by("engine", tool, ERROR if tool == first else None) for tool in tools))
        await guarded.run(*(by("attacker", tool, ERROR) for tool in tools))
        await guarded.run(by("other", first, ERROR), by(f"session-{number}", first, ERROR))

    await until_rolled_back(guarded, by("other", first, ERROR))
    assert await outages(guarded) == before


def called(run: Execution, caller: str) -> Execution:
    return run.model_copy(update={"caller": caller})


async def test_repeated_failures_of_one_caller_count_once(guarded: System) -> None:
    [tool] = tools = tools_of(guarded, 3, 1)
    await deployed(guarded, tools)
    good = [called(execution(tool), f"caller-{number}") for number in range(10)]
    noisy = [called(execution(tool, ERROR), "caller-3") for _ in range(20)]
    await guarded.run(*good, *noisy)
    await guarded.executions_recorded(tool, 132)
    assert await rolled_back(guarded, tools) == []
    others = [called(execution(tool, ERROR), f"caller-{number}") for number in range(20)]
    await guarded.run(*others)

    await until_rolled_back(guarded, execution(tool, ERROR), callers=True)
    [record] = await guarded.records(guarded.topics.commands, 1, tool)
    seen = RollbackCommand.from_bytes(record.value).details["evidence"]["seen"]
    assert seen["failures"] <= 20
