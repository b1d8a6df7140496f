"""The same log gives the same commands, whatever the batches and the number of workers."""

import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import pytest

from policy.decision.fold import commands_of_log
from rollguard.embedded.ports import free_port
from schemas.execution import Activation, Execution
from schemas.rules.rules import Rules
from tests.support.inputs.messages import activation, execution
from tests.support.systems.system import System

TOOLS = [f"tool-{number}" for number in range(12)]
AWAY = "OSError: the service is away"
ORIGINS = (None, None, None, None, "tool", "caller", "environment")
RULES = Rules(environment_errors=("OSError",))
START = datetime.now(UTC) - timedelta(days=2)


def recorded_log(seed: int) -> list[Activation | Execution]:
    """Return some thousand entries of a dozen tools; every second version of a tool fails often."""
    random = Random(seed)
    versions = dict.fromkeys(TOOLS, 0)
    log: list[Activation | Execution] = []
    for step in range(3_000):
        tool = random.choice(TOOLS)
        at = START + timedelta(seconds=20 * step + random.randint(-40, 0))
        if versions[tool] == 0 or random.random() < 0.01:
            versions[tool] += 1
            number = versions[tool]
            log.append(activation(tool, number, number, activated_at=at))
            continue
        fails = random.random() < (0.6 if versions[tool] % 2 == 0 else 0.1)
        error = random.choice(["TypeError: x", "ValueError: y", "gone", AWAY]) if fails else None
        log.append(
            execution(
                tool,
                error,
                executed_at=at,
                version_id=random.choice([None, versions[tool]]),
                execution_id=UUID(int=random.getrandbits(128), version=4),
                error_origin=random.choice(ORIGINS),
            )
        )
    return log


def demanded(log: list[Activation | Execution]) -> dict[str, list[dict[str, Any]]]:
    """Return the commands that the policy itself demands for each tool's log."""
    logs = defaultdict(list)
    for offset, entry in enumerate(log):
        logs[entry.tool_name].append((offset, int(START.timestamp() * 1000) * 10, entry))
    return {
        tool: [json.loads(command.to_bytes()) for command in commands_of_log(entries, RULES)]
        for tool, entries in logs.items()
    }


@pytest.mark.kafka
@pytest.mark.timeout(540)
@pytest.mark.parametrize(("workers", "batch"), [(1, 5_000), (1, 3), (3, 50)])
async def test_batches_and_workers_change_no_decision(
    workers: int,
    batch: int,
    apache_kafka: str,
    database_dsn: str,
    topic_prefix: str,
    tmp_path: Path,
) -> None:
    log = recorded_log(7)
    expected = demanded(log)
    count = sum(map(len, expected.values()))
    assert count > 20
    details = [command["details"] for commands in expected.values() for command in commands]
    assert any("not_judged" in each for each in details)
    async with System.started(apache_kafka, database_dsn, topic_prefix, tmp_path, ()) as system:
        for number in range(workers):
            port = system.settings.web_port if number == 0 else free_port()
            await system.spawn(
                "detector",
                ROLLGUARD_WEB_PORT=str(port),
                ROLLGUARD_MAX_POLL_RECORDS=str(batch),
                ROLLGUARD_ENVIRONMENT_ERRORS="OSError",
                ROLLGUARD_DATA_DIR=str(tmp_path / str(number)),
            )
        for entry in log:
            await system.producer.send(
                system.topics.executions, entry.to_bytes(), key=entry.tool_name.encode()
            )
        await system.producer.flush()
        found: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
        seen = 0
        async with system.reader(system.topics.commands) as commands:
            while sum(map(len, found.values())) < count:
                record = await commands.getone()
                command = json.loads(record.value)
                known = found[command["tool_name"]].setdefault(command["command_id"], command)
                assert known == command
                seen += 1
        assert seen >= count
    assert {tool: list(commands.values()) for tool, commands in found.items()} == {
        tool: commands for tool, commands in expected.items() if commands
    }
