"""The programs with which the benchmarks compare the detector issue the same commands."""

from collections import defaultdict
from pathlib import Path
from uuid import UUID

import pytest

from bench.flow.traffic import Log, Traffic
from bench.setup.programs import Start, passage, quix_streams, stock_faust
from bench.setup.stage import Stage
from schemas.rollback import RollbackCommand


@pytest.mark.timeout(360)
@pytest.mark.parametrize(
    "start",
    [
        pytest.param(stock_faust, marks=pytest.mark.kafka),
        pytest.param(quix_streams, marks=pytest.mark.peers),
    ],
)
async def test_a_peer_issues_the_commands_that_the_rules_demand(
    start: Start, apache_kafka: str, tmp_path: Path
) -> None:
    stage = await Stage.published(apache_kafka, Log.of(Traffic(tools=12, executions=1_500)))
    program = await start(stage, tmp_path)
    await passage(program, stage)
    found: dict[str, dict[UUID, RollbackCommand]] = defaultdict(dict)
    for command in await stage.commands(program.commands):
        assert found[command.tool_name].setdefault(command.command_id, command) == command
    assert {tool: list(commands.values()) for tool, commands in found.items()} == {
        tool: commands for tool, commands in stage.log.commands.items() if commands
    }
