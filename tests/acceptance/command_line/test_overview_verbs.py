"""The verbs that show everything at a glance: tools, status, pins; and how near the rules are."""

import json
from typing import Any

from tests.support.inputs.messages import execution
from tests.support.systems.command_line import rollguard
from tests.support.systems.system import System
from tests.support.waiting import until


async def json_of(system: System, *words: str) -> Any:
    answer = await rollguard(*words, "--json", env=system.environment())
    assert (answer.code, answer.err) == (0, ""), answer.err
    return json.loads(answer.out)


async def test_tools_and_pins(shared_system: System, tool: str) -> None:
    system, env = shared_system, shared_system.environment()
    for code in ("one", "two"):
        await system.deploy(tool, code)
    await system.run(execution(tool), execution(tool, "ValueError: no"))
    await system.executions_recorded(tool, 2)

    async def found(*options: str) -> dict[str, Any]:
        listed = await json_of(system, "tools", *options)
        return {each["tool_name"]: each for each in listed}

    async def is_suspect() -> bool:
        return bool((await found())[tool]["state"] == "suspect")

    await until(is_suspect)
    mine = (await found("--state", "suspect"))[tool]
    assert (mine["version_number"], mine["activation"]) == (2, 2)
    assert (mine["success_rate"], mine["total_executions"]) == (0.5, 2)
    assert (mine["pinned"], mine["held"], mine["last_rollback"]) == (False, False, None)
    assert tool not in await found("--state", "healthy")
    assert (await rollguard("tools", "--state", "good", env=env)).code == 2

    assert (await rollguard("pin", tool, "--reason", "release", "--by", "ann", env=env)).code == 0
    for words in (("pins",), ("pin",)):
        listed = {each["tool_name"]: each for each in await json_of(system, *words)}
        assert (listed[tool]["reason"], listed[tool]["pinned_by"]) == ("release", "ann")
        shown = (await rollguard(*words, env=env)).out
        assert f"{tool}\trelease\tann\t" in shown
        assert "it is unpinned" in shown
    assert (await rollguard("pin", "--reason", "x", env=env)).code == 2
    assert (await found())[tool]["pinned"]
    for line in (await rollguard("tools", env=env)).out.splitlines():
        if line.startswith(f"{tool}\t"):
            assert line.split("\t")[1:] == [
                *(f"v2 (id {mine['version_id']})", "suspect", "50.0 %", "2 executions"),
                *("", "", "pinned"),
            ]
            break
    else:
        raise AssertionError("the tool is not listed")
    assert (await rollguard("unpin", tool, env=env)).code == 0


async def test_health_says_how_near_each_rule_is(shared_system: System, tool: str) -> None:
    system, env = shared_system, shared_system.environment()
    await system.deploy(tool, "one")
    await system.run(execution(tool), *(execution(tool, "ValueError: no") for _ in range(2)))

    async def judged() -> bool:
        _, health = await system.health(tool)
        return len(health.get("recent", ())) == 3

    await until(judged)
    health = await json_of(system, "health", tool)
    assert health["state"] == "suspect"
    first = health["rules"][0]
    assert (first["reason"], first["holds"]) == ("consecutive_failures", False)
    assert (first["value"], first["limit"]) == (2, 3)
    shown = (await rollguard("health", tool, env=env)).out
    assert "immediate consecutive_failures\tno\t2\t3\t3\t3" in shown
    assert "fast high_failure_rate\tno\t0.666667\t0.8\t3\t5" in shown


async def test_status(shared_system: System, tool: str) -> None:
    system, env = shared_system, shared_system.environment()
    await system.all_ready()

    async def all_well() -> bool:
        return bool((await json_of(system, "status"))["stuck"] == [])

    await until(all_well)
    status = await json_of(system, "status")
    assert [role["role"] for role in status["roles"]] == ["detector", "applier", "recorder"]
    assert all(len(role["workers"]) == 1 for role in status["roles"])
    assert status["kafka"]["brokers"] == list(system.settings.kafka_brokers)
    assert set(status["software"]) == {"rollguard", "python"}
    assert all(role["versions"] == [status["software"]["rollguard"]] for role in status["roles"])
    shown = (await rollguard("status", env=env)).out
    assert "nothing is stuck" in shown
    assert status["kafka"]["cluster_id"] in shown
    away = await rollguard(
        "status", env={**env, "ROLLGUARD_KAFKA_BROKERS": "127.0.0.1:1", "ROLLGUARD_WAIT_S": "2"}
    )
    assert away.code == 1
    assert "stuck: Kafka: " in away.out
    assert "no answer" in away.out
