"""Policy `guarded`, through real workers: chance rolls nothing back, a break does."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from schemas.rollback import RollbackCommand
from tests.acceptance.test_command_line import rollguard
from tests.system import System, execution, until

ERROR = "ValueError: no"


@pytest_asyncio.fixture
async def guarded(
    embedded_broker: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> AsyncIterator[System]:
    roles = ("detector", "applier", "recorder")
    async with System.started(
        embedded_broker, database_dsn, topic_prefix, tmp_path, roles, ROLLGUARD_POLICY="guarded"
    ) as running:
        yield running


async def test_evidence_decides(guarded: System) -> None:
    await guarded.deploy("parser", "good = 1")
    lifetime = [ERROR if number % 10 == 9 else None for number in range(100)]
    await guarded.run(*(execution("parser", error) for error in lifetime))
    await guarded.deploy("parser", "good = 2", created_by="autonomous")

    three_in_a_row = [*lifetime[:57], ERROR, ERROR, ERROR, None]
    await guarded.run(*(execution("parser", error) for error in three_in_a_row))
    broken = [execution("parser", ERROR) for _ in range(12)]
    await guarded.run(*broken)

    [record] = await guarded.records(guarded.topics.commands, 1)
    command = RollbackCommand.from_bytes(record.value)
    evidence = command.details["evidence"]
    seen = evidence["seen"]
    assert command.details["recent"][0] in [str(run.execution_id) for run in broken]
    assert seen["failures"] > sum(error is not None for error in three_in_a_row)
    assert (evidence["baseline"]["executions"], evidence["baseline"]["failures"]) == (100, 10)
    assert evidence["odds"] >= evidence["limit"]

    async def rolled_back() -> bool:
        return bool(await guarded.query("SELECT FROM rollbacks WHERE status = 'applied'"))

    await until(rolled_back)
    words = ("explain", str(command.command_id), "--json")
    said = json.loads((await rollguard(*words, env=guarded.environment())).out)["evidence"]
    assert "(90 of 100" in said
    assert said.endswith(" to 1 against") or said.endswith(" is a break")
