"""A backlog of deployments and rollbacks of the same tools, mixed: in order for each tool, and
every change has its activation.
"""

from collections import defaultdict
from pathlib import Path
from random import Random
from uuid import UUID

import pytest

from schemas.deployment import Deployment, DeploymentOutcome, ToolVersion
from schemas.execution import Activation, read_log_entry
from schemas.rollback import RollbackCommand, RollbackOutcome
from tests.support.stored import command
from tests.support.system import System, deployment

Outcome = DeploymentOutcome | RollbackOutcome

TOOLS = [f"tool-{number}" for number in range(8)]
DEPLOYMENTS = 120
COMMANDS = 160


@pytest.mark.timeout(180)
async def test_a_mixed_backlog(
    kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    started = System.started(kafka, database_dsn, topic_prefix, tmp_path, ())
    async with started as system:
        wishes, orders = _backlog(Random(11))
        for wish in wishes:
            await system.send(system.topics.deployments, wish.tool_name, wish)
        for order in orders:
            await system.send(system.topics.commands, order.tool_name, order)
        # a replay of each kind: the identical outcome
        await system.send(system.topics.deployments, wishes[0].tool_name, wishes[0])
        await system.send(system.topics.commands, orders[0].tool_name, orders[0])
        await system.spawn("applier")

        deployed = await _deployed(system, wishes)
        rolled_back = await _rolled_back(system, orders)
        changed: list[Outcome] = [each for each in deployed if each.status == "created"]
        changed += [each for each in rolled_back if each.status == "applied"]
        assert len(changed) > DEPLOYMENTS / 2
        replayed = {wishes[0].deployment_id, orders[0].command_id}
        again = sum(_id(each) in replayed for each in changed)
        await _published_without_a_gap(system, len(changed), again)


def _backlog(chance: Random) -> tuple[list[Deployment], list[RollbackCommand]]:
    """Deployments, now and then of the code before; and manual commands to wherever it leads."""
    wishes = [
        deployment(chance.choice(TOOLS), f"x = {chance.randint(1, 6)}") for _ in range(DEPLOYMENTS)
    ]
    return wishes, [command(chance.choice(TOOLS)) for _ in range(COMMANDS)]


async def _deployed(system: System, wishes: list[Deployment]) -> list[DeploymentOutcome]:
    """The outcomes of all deployments; of each tool in the order in which they were sent."""
    records = await system.records(system.topics.deployment_outcomes, len(wishes) + 1)
    outcomes, sent = defaultdict(list), defaultdict(list)
    for outcome in (DeploymentOutcome.from_bytes(record.value) for record in records):
        outcomes[outcome.tool_name].append(outcome)
    for wish in [*wishes, wishes[0]]:
        sent[wish.tool_name].append(wish.deployment_id)
    for tool, some in outcomes.items():
        assert [each.deployment_id for each in some] == sent[tool]
        numbers = [each.version_number for each in some if each.status == "created"]
        numbers = numbers[:-1] if tool == wishes[0].tool_name else numbers
        assert numbers == list(range(1, len(numbers) + 1))
    first = outcomes[wishes[0].tool_name]
    assert first[0] == first[-1]
    del first[-1]
    return [each for some in outcomes.values() for each in some]


async def _rolled_back(system: System, orders: list[RollbackCommand]) -> list[RollbackOutcome]:
    records = await system.records(system.topics.outcomes, len(orders) + 1)
    outcomes, sent = defaultdict(list), defaultdict(list)
    for outcome in (RollbackOutcome.from_bytes(record.value) for record in records):
        outcomes[outcome.tool_name].append(outcome)
    for order in [*orders, orders[0]]:
        sent[order.tool_name].append(order.command_id)
    for tool, some in outcomes.items():
        assert [each.command_id for each in some] == sent[tool]
    first = outcomes[orders[0].tool_name]
    assert first[0] == first[-1]
    del first[-1]
    return [each for some in outcomes.values() for each in some]


def _id(outcome: Outcome) -> UUID:
    return outcome.deployment_id if isinstance(outcome, DeploymentOutcome) else outcome.command_id


async def _published_without_a_gap(system: System, changes: int, again: int) -> None:
    """Each tool's activations are 1, 2, 3 … in its log and in `tool-versions`, but for those that
    a replay says again; the last is what Postgres says.
    """
    rows = await system.query(
        "select tool_name, version_id, activation from tool_versions where is_current"
    )
    logged, published = defaultdict(list), defaultdict(list)
    assert sum(row["activation"] for row in rows) == changes
    for record in await system.records(system.topics.executions, changes + again):
        entry = read_log_entry(record.value)
        assert isinstance(entry, Activation)
        logged[entry.tool_name].append((entry.activation, entry.version_id))
    for record in await system.records(system.topics.versions, changes + again):
        version = ToolVersion.from_bytes(record.value)
        published[version.tool_name].append((version.activation, version.version_id))
    for row in rows:
        seen = logged[row["tool_name"]]
        numbers = [activation for activation, _ in seen]
        assert sorted(set(numbers)) == list(range(1, row["activation"] + 1))
        assert numbers == sorted(numbers)
        assert seen == published[row["tool_name"]]
        assert seen[-1] == (row["activation"], row["version_id"])
