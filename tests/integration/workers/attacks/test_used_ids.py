"""Ids that an attacker uses first: what they belong to has its full effect all the same."""

from typing import Any
from uuid import uuid4

import pytest

from db.postgres.pool import connect
from db.versions.reading import history
from rollguard.operations.rollbacks import command_named, explanation_of
from schemas.deployment import Deployment, DeploymentOutcome
from schemas.rollback import RollbackCommand, RollbackOutcome, automatic_command_id
from tests.support.inputs.messages import deployment, execution
from tests.support.systems.system import System
from tests.support.waiting import until


@pytest.fixture
def system(shared_on_each: System) -> System:
    return shared_on_each


def command(tool: str, **fields: Any) -> RollbackCommand:
    """Return a person's command that leads nowhere: its target does not exist."""
    values = {
        "command_id": uuid4(),
        "tool_name": tool,
        "to_version_id": 2**31 - 1,
        "tier": "manual",
        "reason": "manual",
        "issued_by": "mallory",
        "issued_at": deployment(tool, "").deployed_at,
    }
    return RollbackCommand.model_validate(values | fields)


async def created(system: System, request: Deployment) -> DeploymentOutcome:
    """Return the outcome of the tool's deployment that makes a version; wait for it."""

    def is_it(value: bytes) -> bool:
        outcome = DeploymentOutcome.from_bytes(value)
        return (outcome.tool_name, outcome.deployment_id, outcome.status) == (
            *(request.tool_name, request.deployment_id),
            "created",
        )

    record = await system.first(system.topics.deployment_outcomes, is_it)
    return DeploymentOutcome.from_bytes(record.value)


async def decided(system: System, tool: str, count: int) -> None:
    """Return when so many commands of the tool have a row."""

    async def are_there() -> bool:
        sql = "select count(*) from rollbacks where tool_name = $1"
        return bool((await system.query(sql, tool))[0][0] == count)

    await until(are_there)


async def rolled_back(system: System, tool: str) -> RollbackOutcome:
    """Return the outcome of the tool's applied rollback; wait for it."""

    def is_it(value: bytes) -> bool:
        outcome = RollbackOutcome.from_bytes(value)
        return (outcome.tool_name, outcome.status) == (tool, "applied")

    record = await system.first(system.topics.outcomes, is_it)
    return RollbackOutcome.from_bytes(record.value)


async def trusted(system: System, tool: str) -> list[bool]:
    """Return whether the code of each version is trusted, the newest version first."""
    conn = await connect(system.settings.postgres_dsn.get_secret_value())
    try:
        return [each.trusted for each in await history(conn, tool, 10)]
    finally:
        await conn.close()


@pytest.mark.timeout(540)
async def test_another_tool_used_them_first(system: System, tool: str) -> None:
    topics = system.topics
    victim, attacker = tool, f"evil-{tool}"
    good = await system.deploy(victim, "good = 1")
    request = deployment(victim, "bad = 2", created_by="autonomous")
    stolen = {"deployment_id": request.deployment_id}
    await system.send(topics.deployments, attacker, deployment(attacker, "evil = 1", **stolen))
    # With the attacker's key, and with the victim's, but too large: both are bad records.
    await system.send(topics.deployments, attacker, deployment(victim, "evil = 2", **stolen))
    await system.send(topics.deployments, victim, deployment(victim, "x" * 600_000, **stolen))
    for key in (attacker, victim):
        assert len(await system.records(topics.dead_letters, 1, key)) == 1
    await created(system, deployment(attacker, "evil = 1", **stolen))

    await system.send(topics.deployments, victim, request)
    bad = await created(system, request)
    assert bad.version_id is not None
    assert (bad.version_number, bad.activation) == (2, 2)

    command_id = automatic_command_id(victim, bad.version_id, 2, 1)
    runs = [execution(victim, "ValueError: no", version_id=bad.version_id) for _ in range(3)]
    automatic = {"tier": "fast", "reason": "complete_failure"}
    await system.send(
        topics.commands,
        attacker,
        command(attacker, command_id=command_id),
        command(attacker, command_id=command_id, **automatic),
    )
    await system.run(*(execution(attacker, execution_id=each.execution_id) for each in runs))
    await decided(system, attacker, 2)
    await system.executions_recorded(attacker, 3)

    await system.run(*runs)
    outcome = await rolled_back(system, victim)
    assert (outcome.command_id, outcome.to_version_id) == (command_id, good.version_id)
    assert await trusted(system, victim) == [False, True]
    await system.executions_recorded(victim, 3)
    sql = "select total_executions, success_rate from tool_versions where version_id = $1"
    assert [tuple(row) for row in await system.query(sql, bad.version_id)] == [(3, 0.0)]
    named = await command_named(system.settings, command_id.hex, victim)
    explained = await explanation_of(system.settings, named)
    assert {each.error for each in explained.executions} == {"ValueError: no"}
    assert (len(explained.executions), explained.unrecorded) == (3, [])


@pytest.mark.timeout(540)
async def test_a_person_used_the_id_of_an_automatic_command_first(
    system: System, tool: str
) -> None:
    """Of the version that is current, and of the one that will be current next."""
    good = await system.deploy(tool, "good = 1")
    assert good.version_id is not None
    ids = [
        automatic_command_id(tool, good.version_id + 1, 2, 1),
        automatic_command_id(tool, good.version_id + 2, 3, 1),
    ]
    await system.send(
        system.topics.commands, tool, *(command(tool, command_id=each) for each in ids)
    )
    await decided(system, tool, 2)
    await system.deploy(tool, "bad = 2", created_by="autonomous")
    bad = await system.deploy(tool, "bad = 3", created_by="autonomous")
    assert bad.version_id == good.version_id + 2

    await system.run(*(execution(tool, "ValueError: no") for _ in range(3)))
    outcome = await rolled_back(system, tool)
    assert (outcome.command_id, outcome.tier) == (ids[1], "immediate")
    assert outcome.from_version_id == bad.version_id
    assert await trusted(system, tool) == [False, True, True]
    rows = await system.query(
        "select tier, status, rejection from rollbacks where command_id = $1 order by issued_at",
        ids[1],
    )
    assert [tuple(row) for row in rows] == [
        ("manual", "rejected", "unknown_version"),
        ("immediate", "applied", None),
    ]
    named = await command_named(system.settings, ids[1].hex, None)
    assert (await explanation_of(system.settings, named)).command.tier == "immediate"
