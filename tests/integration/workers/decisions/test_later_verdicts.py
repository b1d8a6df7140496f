"""Later verdicts through real workers, under both policies and by every verb that shows them."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from rollguard.client import EngineClient
from schemas.rollback import RollbackCommand
from tests.support.inputs.messages import execution
from tests.support.systems.command_line import rollguard
from tests.support.systems.system import System
from tests.support.waiting import until

GUARDED, SEED = "guarded-tool", "seed-tool"
SETTINGS: dict[str, Any] = {"ROLLGUARD_TOOLS": json.dumps({GUARDED: {"policy": "guarded"}})}
GOOD, BAD = 60, 20

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


async def test_bad_verdicts_are_kept_and_shown_and_roll_back_under_guarded(
    running: System,
) -> None:
    env = running.environment(**SETTINGS)
    last: dict[str, tuple[UUID, int]] = {}
    async with EngineClient(running.settings) as client:
        for tool in (GUARDED, SEED):
            before = await running.deploy(tool, "good = 1")
            assert before.version_id is not None
            await _judged(running, client, tool, before.version_id, GOOD, bad=False)
            deployed = await running.deploy(tool, "good = 2")
            assert deployed.version_id is not None
            ids = await _judged(running, client, tool, deployed.version_id, BAD, bad=True)
            last[tool] = ids[-1], deployed.version_id
            for _ in range(3):  # a judge who says it again is heard once
                await client.judge(tool, *last[tool], bad=True, by="judge", why="no answer")
    for tool in last:
        await _recorded(running, tool, GOOD + BAD)

    [record] = await running.records(running.topics.commands, 1)
    command = RollbackCommand.from_bytes(record.value)
    assert (command.tool_name, command.reason, command.tier) == (GUARDED, "judged_bad", "standard")
    seen = command.details["quality"]["judged_bad"]["seen"]
    assert seen["asked"] == seen["found"] <= BAD

    async def applied() -> bool:
        sql = "SELECT FROM rollbacks WHERE command_id = $1 AND status = 'applied'"
        return bool(await running.query(sql, command.command_id))

    await until(applied)
    explained = await rollguard("explain", str(command.command_id), env=env)
    assert f"{BAD} of {BAD} judged bad" in explained.out, explained.err
    document = json.loads(
        (await rollguard("explain", str(command.command_id), "--json", env=env)).out
    )
    verdicts = document["later_verdicts"]
    assert (verdicts["judged"], verdicts["bad"]) == (BAD, BAD)
    for tool in last:
        history = await rollguard("history", tool, "--json", env=env)
        newest, oldest = (each["later_verdicts"] for each in json.loads(history.out))
        assert (newest["judged"], newest["bad"]) == (BAD, BAD)
        assert (oldest["judged"], oldest["bad"], oldest["newest_bad"]) == (GOOD, 0, [])
        shown = await rollguard("show", tool, str(last[tool][1]), env=env)
        assert f"{BAD} of {BAD} judged bad" in shown.out
        assert "no answer, says judge" in shown.out


async def _judged(
    running: System, client: EngineClient, tool: str, version_id: int, number: int, *, bad: bool
) -> list[UUID]:
    """Let a version succeed so often, and one judge speak of each of these executions."""
    executions = [execution(tool, version_id=version_id) for _ in range(number)]
    await running.run(*executions)
    ids = [each.execution_id for each in executions]
    for each in ids:
        await client.judge(tool, each, version_id, bad=bad, by="judge", why="no answer")
    return ids


async def _recorded(running: System, tool: str, number: int) -> None:
    async def are() -> bool:
        sql = "SELECT count(*) AS found FROM later_verdicts WHERE tool_name = $1"
        [row] = await running.query(sql, tool)
        return bool(row["found"] == number)

    await until(are)
