"""`rollguard erase` and `ROLLGUARD_KEEP_ERRORS`, from the topic to the output of `explain`."""

import json
from datetime import UTC, datetime, timedelta

from tests.support.inputs.messages import execution
from tests.support.systems.command_line import rollguard
from tests.support.systems.system import System
from tests.support.waiting import until


async def test_what_is_erased_is_shown_nowhere(shared_system: System, tool: str) -> None:
    env = shared_system.environment()
    await shared_system.deploy(tool, "def execute(x): pass")
    await shared_system.deploy(tool, "def execute(): pass")
    secret = f"TypeError: Ann {tool}"
    failed = [execution(tool, secret, session_id=tool, caller="Ann") for _ in range(2)]
    await shared_system.run(*failed)
    query = "SELECT command_id FROM rollbacks WHERE tool_name = $1"

    async def rolled_back() -> bool:
        return bool(await shared_system.query(query, tool))

    await until(rolled_back)
    await shared_system.executions_recorded(tool, 2)
    [row] = await shared_system.query(query, tool)
    explain = ("explain", str(row["command_id"]), "--tool", tool)
    assert secret in (await rollguard(*explain, env=env)).out

    nobody = await rollguard("erase", "--session", tool, env=env)
    assert (nobody.code, nobody.out) == (2, "")
    assert "give --yes" in nobody.err
    both = await rollguard("erase", "--session", tool, "--caller", "Ann", "--yes", env=env)
    assert both.code == 2
    no_id = await rollguard("erase", "--execution", "x", "--yes", env=env)
    assert (no_id.code, "'x' is not the id of an execution" in no_id.err) == (2, True)

    done = await rollguard("erase", "--session", tool, "--yes", "--json", env=env)
    assert done.code == 0, done.err
    said = json.loads(done.out)
    assert (said["session"], said["executions"], said["tools"]) == (tool, 2, {tool: 2})
    topics = shared_system.topics
    assert list(said["kafka_keeps"]) == [
        *(topics.executions, topics.commands, topics.outcomes),
        *(topics.deployment_outcomes, topics.dead_letters),
    ]
    week = datetime.now(UTC) + timedelta(days=shared_system.settings.retention_days)
    until_when = datetime.fromisoformat(said["kafka_keeps"][topics.executions])
    assert abs(until_when - week) < timedelta(hours=1)

    shown = await rollguard(*explain, env=env)
    assert "Ann" not in shown.out
    assert shown.out.count("TypeError; erased at ") == 2
    assert "Ann" not in (await rollguard(*explain, "--json", env=env)).out
    assert secret not in shared_system.log("recorder") + shared_system.log("detector")
