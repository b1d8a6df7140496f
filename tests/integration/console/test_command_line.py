"""The command line through the console: it says the same as without it."""

import asyncio
from uuid import uuid4

import pytest

from rollguard.operations.connection import connection
from tests.support.consoles.console import Console
from tests.support.inputs.messages import execution
from tests.support.inputs.stored import begin_stop
from tests.support.systems.command_line import said
from tests.support.systems.system import System
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(450)


async def test_the_command_line_says_the_same_through_it(
    console: Console, shared_system: System, tool: str
) -> None:
    topics = shared_system.topics
    for code in ("def execute(a): return a", "def execute(): return 1"):
        await shared_system.deploy(tool, code)
    await shared_system.run(execution(tool), execution(tool, "ValueError: \x1b[31m"))
    done = await console.post(f"/tools/{tool}/rollbacks", {"to_version_number": 1, "reason": "x"})
    command_id = done.body["command_id"]
    async with connection(shared_system.settings) as conn:
        await begin_stop(conn, "pin", tool)
    await shared_system.send(topics.executions, tool, b"{}", b"\xff")
    record_id = ""

    async def listed() -> bool:
        nonlocal record_id
        found = (await console.get(f"/dead-letters?tool={tool}")).body["dead_letters"]
        state = (await console.get(f"/tools/{tool}")).body["state"]
        record_id = found[0]["id"] if len(found) == 2 else ""
        return bool(record_id) and state == "unjudged"

    await until(listed, 60)
    direct, through = shared_system.environment(), console.environment()
    right: list[tuple[str, ...]] = [
        *(("tools",), ("engines", "--tool", tool), ("current", tool), ("history", tool)),
        *(("history", tool, "--limit", "1"), ("show", tool, "v2"), ("check", tool)),
        *(("compare", tool, "v1", "v2"), ("health", tool), ("rollbacks", "--tool", tool)),
        *(("explain", command_id[:13]), ("holds",), ("pins",), ("pin", tool), ("stops",)),
        *(("dead-letters", "--tool", tool), ("dead-letters", record_id)),
        *(("dead-letters", "--causes", "--tool", tool), ("rollbacks", "--tool", tool, "--costs")),
    ]
    wrong: list[tuple[str, ...]] = [
        *(
            ("show", tool, "999999"),
            ("current", "nobody"),
            ("current", "a/b"),
            ("health", "nobody"),
        ),
        *(("explain", str(uuid4())), ("approve", str(uuid4())), ("compare", tool, "v1", "v9")),
        *(("history", "nobody"), ("rollback", tool, "v9"), ("rollback", tool, "v1")),
        *(("rollback", tool, "999999"), ("unpin", "nobody"), ("resume", tool), ("health", "")),
        *(("unfreeze", "--all"), ("reject", tool, "v9", "--reason", "x"), ("pin", "nobody")),
        *(("dead-letters", f"{topics.executions}:0:999999"), ("history", tool, "--limit", "x")),
    ]
    for words in [*right, *((*each, "--json") for each in right), *wrong]:
        for _ in range(20):  # a console's states and dead letters are some seconds old
            expected, found = [await said(*words, env=env) for env in (direct, through)]
            if found == expected:
                break
            await asyncio.sleep(1)
        assert found == expected, words
        assert (expected.code == 0) == (words not in wrong), (words, expected)
    for words in (("topics",), ("prune", "--older-than", "1d"), ("migrate",)):
        refused = await said(*words, env=through)
        assert (refused.code, "unset ROLLGUARD_URL" in refused.err) == (1, True), refused
