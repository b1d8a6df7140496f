"""Failures that are not the tool's, through real workers, under both policies and by every verb."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from schemas.rollback import RollbackCommand
from tests.support.inputs.messages import execution
from tests.support.systems.command_line import rollguard
from tests.support.systems.system import System
from tests.support.waiting import until

AWAY = "httpx.ConnectTimeout: no answer within 30 s"
BROKEN = "KeyError: 'limit'"
GUARDED, SEED, SIGNATURE = "guarded-tool", "seed-tool", "signature-tool"
SETTINGS: dict[str, Any] = {
    "ROLLGUARD_ENVIRONMENT_ERRORS": "httpx.ConnectTimeout",
    "ROLLGUARD_TOOLS": json.dumps(
        {
            GUARDED: {"policy": "guarded", "caller_errors": ["ValueError"]},
            SIGNATURE: {"signature_errors": "Gone", "consecutive_failures": 10},
        }
    ),
}

pytestmark = pytest.mark.timeout(360)


@pytest_asyncio.fixture
async def running(
    embedded_broker: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> AsyncIterator[System]:
    roles = ("detector", "applier", "recorder")
    async with System.started(
        embedded_broker, database_dsn, topic_prefix, tmp_path, roles, **SETTINGS
    ) as system:
        yield system


async def test_only_the_tools_failures_are_judged(running: System) -> None:
    current = {}
    for tool in (SEED, GUARDED, SIGNATURE):
        await running.deploy(tool, "good = 1")
        await running.run(*(execution(tool) for _ in range(40)))
        deployed = await running.deploy(tool, "good = 2", created_by="autonomous")
        current[tool] = {"version_id": deployed.version_id}
        others = [
            *(execution(tool, AWAY) for _ in range(12)),
            *(execution(tool, BROKEN, error_origin="caller") for _ in range(8)),
        ]
        await running.run(*others)
    await running.run(*(execution(GUARDED, "ValueError: no") for _ in range(20)))
    signature = [execution(SIGNATURE, "TypeError: x"), execution(SIGNATURE, "TypeError: x")]
    await running.run(*signature)
    env = running.environment(**SETTINGS)
    await _healthy(running, env)

    decided = {SEED: BROKEN, GUARDED: "OSError: broken", SIGNATURE: "app.Gone: no more"}
    for tool, error in decided.items():
        await running.run(*(execution(tool, error, **current[tool]) for _ in range(12)))
    await running.executions_recorded(SEED, 72)
    commands: dict[str, RollbackCommand] = {}
    for record in await running.records(running.topics.commands, 3):
        command = RollbackCommand.from_bytes(record.value)
        commands[command.tool_name] = command
    assert commands.keys() == decided.keys()
    assert commands[SEED].reason == "consecutive_failures"
    assert commands[SEED].details["failures"] == commands[SEED].details["executions"] == 3
    assert commands[SEED].details["not_judged"] == {"caller": 8, "environment": 12}
    assert commands[GUARDED].details["not_judged"] == {"caller": 28, "environment": 12}
    assert commands[GUARDED].details["evidence"]["seen"]["failures"] <= 12
    assert commands[SIGNATURE].reason == "signature_change"
    await _explained(running, env, commands[SEED])


async def _healthy(running: System, env: dict[str, str]) -> None:
    """Require that the others' failures are stored and shown, and not judged."""
    await running.executions_recorded(SEED, 60)
    await running.executions_recorded(GUARDED, 80)
    await running.executions_recorded(SIGNATURE, 62)

    async def followed() -> bool:
        answers = [(await running.health(tool))[1] for tool in (SEED, GUARDED, SIGNATURE)]
        counts = [sum(health.get("not_judged", {}).values()) for health in answers]
        return counts == [20, 40, 20] and len(answers[2]["recent"]) == 2

    await until(followed)
    status, health = await running.health(GUARDED)
    assert (status, health["needs_rollback"], health["state"]) == (200, False, "unjudged")
    assert health["not_judged"] == {"caller": 28, "environment": 12}
    assert health["windows"]["standard"]["executions"] == 0
    [row] = await running.query(
        "SELECT * FROM tool_versions WHERE tool_name = $1 AND is_current", GUARDED
    )
    assert (row["total_executions"], row["success_rate"]) == (0, None)
    assert (row["caller_failures"], row["environment_failures"]) == (28, 12)
    rows = await running.query(
        "SELECT error_origin, stated_origin, count(*) FROM tool_executions"
        " WHERE tool_name = $1 AND NOT success GROUP BY 1, 2",
        SEED,
    )
    assert {tuple(row) for row in rows} == {("environment", None, 12), ("caller", "caller", 8)}
    shown = (await rollguard("health", GUARDED, env=env)).out
    assert "40 failures, 40 of them not the tool's" in shown


async def _explained(running: System, env: dict[str, str], command: RollbackCommand) -> None:
    async def applied() -> bool:
        sql = "SELECT FROM rollbacks WHERE command_id = $1"
        return bool(await running.query(sql, command.command_id))

    await until(applied)
    explained = await rollguard("explain", str(command.command_id), env=env)
    assert "32 failures, 20 of them not the tool's" in explained.out, explained.err
    document = await rollguard("explain", str(command.command_id), "--json", env=env)
    failures = json.loads(document.out)["failures"]
    assert failures == {"failures": 32, "caller": 8, "environment": 12}
    history = await rollguard("history", SEED, env=env)
    assert "32 failures, 20 of them not the tool's" in history.out

    lists = "seed:environment_errors=httpx.ConnectTimeout,KeyError"
    asked = ("--policy", lists, "--policy", "seed:environment_errors=", "--tool", SEED, "--json")
    found = json.loads((await rollguard("backtest", *asked, env=env)).out)
    assert [each["not_judged"] for each in found["policies"]] == [32, 8]
    assert [each["rolled_back"] for each in found["policies"]] == [0, 1]

    words = ("record", SEED, "--error", "x", "--origin", "environment")
    assert (await rollguard(*words, env=env)).code == 0
    await running.executions_recorded(SEED, 73)
    sql = "SELECT stated_origin FROM tool_executions WHERE error = 'x'"
    assert [tuple(row) for row in await running.query(sql)] == [("environment",)]
    refused = await rollguard("record", SEED, "--ok", "--origin", "caller", env=env)
    assert (refused.code, "--origin" in refused.err) == (2, True)
