"""A backlog of deployments and rollback commands of the same tools.

Those of each tool are applied in their order, and every change has an activation.
"""

from collections import defaultdict
from pathlib import Path
from random import Random
from uuid import UUID

import pytest

from schemas.deployment import Deployment, DeploymentOutcome, ToolVersion
from schemas.execution import Activation, read_log_entry
from schemas.rollback import RollbackCommand, RollbackOutcome
from tests.support.inputs.messages import deployment
from tests.support.inputs.stored import command
from tests.support.systems.system import System

Outcome = DeploymentOutcome | RollbackOutcome

TOOLS = [f"tool-{number}" for number in range(8)]
DEPLOYMENTS = 120
COMMANDS = 160


@pytest.mark.timeout(540)
async def test_a_mixed_backlog(
    kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    started = System.started(kafka, database_dsn, topic_prefix, tmp_path, ())
    async with started as system:
        deployments, commands = _backlog(Random(11))
        for each in deployments:
            await system.send(system.topics.deployments, each.tool_name, each)
        for order in commands:
            await system.send(system.topics.commands, order.tool_name, order)
        # One deployment and one command are sent again: each must get the same outcome.
        await system.send(system.topics.deployments, deployments[0].tool_name, deployments[0])
        await system.send(system.topics.commands, commands[0].tool_name, commands[0])
        await system.spawn("applier")

        deployed = await _deployed(system, deployments)
        rolled_back = await _rolled_back(system, commands)
        changed: list[Outcome] = [each for each in deployed if each.status == "created"]
        changed += [each for each in rolled_back if each.status == "applied"]
        assert len(changed) > DEPLOYMENTS / 2
        replayed = {deployments[0].deployment_id, commands[0].command_id}
        repeated = sum(_id(each) in replayed for each in changed)
        await _published_without_a_gap(system, len(changed), repeated)


def _backlog(chance: Random) -> tuple[list[Deployment], list[RollbackCommand]]:
    """Return deployments, some with the code that is current, and manual rollback commands."""
    deployments = [
        deployment(chance.choice(TOOLS), f"x = {chance.randint(1, 6)}") for _ in range(DEPLOYMENTS)
    ]
    return deployments, [command(chance.choice(TOOLS)) for _ in range(COMMANDS)]


async def _deployed(system: System, deployments: list[Deployment]) -> list[DeploymentOutcome]:
    """Return the outcomes of all deployments, each tool's in the order in which they were sent."""
    records = await system.records(system.topics.deployment_outcomes, len(deployments) + 1)
    outcomes, sent = defaultdict(list), defaultdict(list)
    for outcome in (DeploymentOutcome.from_bytes(record.value) for record in records):
        outcomes[outcome.tool_name].append(outcome)
    for each in [*deployments, deployments[0]]:
        sent[each.tool_name].append(each.deployment_id)
    for tool, some in outcomes.items():
        assert [each.deployment_id for each in some] == sent[tool]
        numbers = [each.version_number for each in some if each.status == "created"]
        numbers = numbers[:-1] if tool == deployments[0].tool_name else numbers
        assert numbers == list(range(1, len(numbers) + 1))
    first = outcomes[deployments[0].tool_name]
    assert first[0] == first[-1]
    del first[-1]
    return [each for some in outcomes.values() for each in some]


async def _rolled_back(system: System, commands: list[RollbackCommand]) -> list[RollbackOutcome]:
    records = await system.records(system.topics.outcomes, len(commands) + 1)
    outcomes, sent = defaultdict(list), defaultdict(list)
    for outcome in (RollbackOutcome.from_bytes(record.value) for record in records):
        outcomes[outcome.tool_name].append(outcome)
    for order in [*commands, commands[0]]:
        sent[order.tool_name].append(order.command_id)
    for tool, some in outcomes.items():
        assert [each.command_id for each in some] == sent[tool]
    first = outcomes[commands[0].tool_name]
    assert first[0] == first[-1]
    del first[-1]
    return [each for some in outcomes.values() for each in some]


def _id(outcome: Outcome) -> UUID:
    return outcome.deployment_id if isinstance(outcome, DeploymentOutcome) else outcome.command_id


async def _published_without_a_gap(system: System, changes: int, repeated: int) -> None:
    """Require that each tool's activations are 1, 2, 3 … in its log and in `tool-versions`.

    ``repeated`` of them are there twice, because of a replay. The last activation must be the one
    in Postgres.
    """
    rows = await system.query(
        "select tool_name, version_id, activation from tool_versions where is_current"
    )
    logged, published = defaultdict(list), defaultdict(list)
    assert sum(row["activation"] for row in rows) == changes
    for record in await system.records(system.topics.executions, changes + repeated):
        entry = read_log_entry(record.value)
        assert isinstance(entry, Activation)
        logged[entry.tool_name].append((entry.activation, entry.version_id))
    for record in await system.records(system.topics.versions, changes + repeated):
        version = ToolVersion.from_bytes(record.value)
        published[version.tool_name].append((version.activation, version.version_id))
    for row in rows:
        seen = logged[row["tool_name"]]
        numbers = [activation for activation, _ in seen]
        assert sorted(set(numbers)) == list(range(1, row["activation"] + 1))
        assert numbers == sorted(numbers)
        assert seen == published[row["tool_name"]]
        assert seen[-1] == (row["activation"], row["version_id"])
