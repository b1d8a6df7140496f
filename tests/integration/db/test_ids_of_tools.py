"""Ids count within their tool, and those of automatic commands apart from those of persons."""

from datetime import timedelta
from typing import Any

import pytest

from db.executions.log_export import committed_activations
from db.executions.pruning import remove_executions
from db.executions.queries import errors_of
from db.postgres.pool import Connection
from db.postgres.sql import blocks
from db.replays import changed_at
from db.rollbacks.holds import expire
from db.rollbacks.records import commands_between
from db.versions.reading import current_version
from policy.rollbacks.explanations import decided_by
from rollguard.holds import approve
from rollguard.operations.rollbacks import command_named, explanation_of
from schemas.deployment import code_hash_of
from schemas.errors import Rejected
from schemas.rollback import CommandKey, RollbackCommand, RollbackOutcome
from schemas.settings import Settings, load_settings
from tests.support.inputs.stored import (
    NOW,
    answer,
    command,
    deploy_all,
    deployment,
    execution,
    let_expire,
    metrics,
    record_all,
    roll_back,
    trusted,
)
from tests.support.inputs.stored import deploy as deploy_one


@pytest.fixture
def settings(database_dsn: str) -> Settings:
    return load_settings(postgres_dsn=database_dsn)


def automatic(tool: str = "parser", **fields: Any) -> RollbackCommand:
    return command(tool, **({"tier": "fast", "reason": "complete_failure"} | fields))


def by_a_person(order: RollbackCommand, **fields: Any) -> RollbackCommand:
    """Return a person's command of the same tool with the same id."""
    return order.model_copy(update={"tier": "manual", "reason": "manual", **fields})


async def test_a_persons_command_does_not_use_up_the_id_of_an_automatic_one(
    conn: Connection,
) -> None:
    first, second = await deploy_all(conn, "one", "two")
    order = automatic(from_version_id=second, from_activation=2)
    nowhere = by_a_person(order, to_version_id=2**31 - 1)
    rejected = await roll_back(conn, nowhere)
    assert rejected.rejection == "unknown_version"
    applied = await roll_back(conn, order)
    assert (applied.status, applied.to_version_id) == ("applied", first)
    assert await trusted(conn) == [True, False]
    assert await roll_back(conn, nowhere) == rejected
    assert await roll_back(conn, order) == applied
    [loss] = await conn.fetch(
        blocks("rollbacks/trust.sql")["losses"], ["parser"], [code_hash_of("two")]
    )
    assert (loss["command_id"], loss["tier"]) == (order.command_id, "fast")


async def test_an_automatic_command_does_not_use_up_the_id_of_a_persons(conn: Connection) -> None:
    first, _ = await deploy_all(conn, "one", "two")
    order = automatic(from_activation=7)
    assert (await roll_back(conn, order)).rejection == "not_current"
    assert (await roll_back(conn, by_a_person(order, from_activation=None))).to_version_id == first


async def test_a_hold_ends_alone_though_others_have_its_id(conn: Connection) -> None:
    for tool in ("parser", "evil"):
        await deploy_all(conn, "one", "two", tool=tool)
    order = automatic(mode="hold")
    others = [
        order.model_copy(update={"tool_name": "evil"}),
        by_a_person(order, mode="hold"),
    ]

    async def statuses() -> dict[tuple[str, str], str]:
        rows = await conn.fetch("select tool_name, tier, status from rollbacks")
        return {(row["tool_name"], row["tier"]): row["status"] for row in rows}

    for each in (order, *others):
        assert (await roll_back(conn, each)).status == "held"
    approved = await roll_back(conn, answer(order, {"approved_by": "ann"}))
    assert (approved.tool_name, approved.tier, approved.status) == ("parser", "fast", "applied")
    still = {("evil", "fast"): "held", ("parser", "manual"): "held"}
    assert await statuses() == {("parser", "fast"): "applied", **still}
    await let_expire(conn, order)  # whatever has the id
    [row] = await expire(conn, [others[0].key])
    assert (row["tool_name"], row["rejection"]) == ("evil", "expired")
    assert await statuses() == {
        ("parser", "fast"): "applied",
        ("evil", "fast"): "rejected",
        ("parser", "manual"): "held",
    }


async def test_an_answer_of_another_tier_to_an_expired_hold(conn: Connection) -> None:
    await deploy_all(conn, "one", "two")
    order = automatic(mode="hold")
    await roll_back(conn, order)
    await let_expire(conn, order)
    late = answer(by_a_person(order), {"approved_by": "ann"})
    outcome = await roll_back(conn, late)
    assert (outcome.tier, outcome.rejection) == ("fast", "expired")
    assert await roll_back(conn, late) == outcome


async def test_a_command_is_named_by_its_id_and_if_need_be_by_its_tool(
    conn: Connection, settings: Settings
) -> None:
    for tool in ("parser", "evil"):
        await deploy_all(conn, "one", "two", tool=tool)
    order = automatic(mode="hold")
    foreign = order.model_copy(update={"tool_name": "evil"})
    for each in (by_a_person(order, to_version_id=2**31 - 1), order, foreign):
        await roll_back(conn, each)
    whole, beginning = order.command_id.hex, order.command_id.hex[:12]
    for named in (whole, beginning):
        with pytest.raises(Rejected) as unclear:
            await command_named(settings, named, None)
        assert str(unclear.value) == (
            f"commands of several tools have the id {order.command_id}: 'evil', 'parser'; "
            "name one with --tool"
        )
        for each in (order, foreign):
            assert await command_named(settings, named, each.tool_name) == each.key
    with pytest.raises(Rejected, match=r"no rollback has .* and is of 'other'"):
        await command_named(settings, whole, "other")
    explained = await explanation_of(settings, await command_named(settings, whole, "parser"))
    assert explained.command.tier == "fast"
    with pytest.raises(Rejected, match="'evil', 'parser'; name one"):
        await approve(settings, order.command_id, "ann")
    assert await commands_between(conn, order.command_id, order.command_id, None, 1) == [
        foreign.key
    ]


async def test_executions_of_another_tool_explain_nothing(
    conn: Connection, settings: Settings
) -> None:
    first, second = await deploy_all(conn, "one", "two")
    mine = execution(version_id=second, success=False, error="ValueError: mine")
    foreign = execution(
        "evil", success=False, error="Evil: not mine", execution_id=mine.execution_id
    )
    unknown = execution("evil", success=False, error="Evil: no")
    await record_all(conn, foreign, unknown, mine)
    ids = [str(each.execution_id) for each in (mine, unknown)]
    order = automatic(details={"recent": ids}, to_version_id=first)
    await roll_back(conn, order)
    assert await errors_of(conn, "parser", decided_by({"recent": ids})) == ["ValueError: mine"]
    explained = await explanation_of(settings, order.key)
    assert [each.error for each in explained.executions] == ["ValueError: mine"]
    assert explained.unrecorded == [ids[1]]


async def test_to_prune_a_tool_leaves_the_others(conn: Connection) -> None:
    (first,) = await deploy_all(conn, "one")
    mine = execution(version_id=first)
    old = execution("evil", execution_id=mine.execution_id, executed_at=NOW - timedelta(days=2))
    await record_all(conn, mine, old)
    assert await remove_executions(conn, "evil", NOW - timedelta(days=1), 10) == (1, 0)
    assert await conn.fetchval("select tool_name from tool_executions") == "parser"
    assert await metrics(conn, first) == (1, 1, 1.0)


async def test_when_a_tool_was_changed_and_what_was_activated(conn: Connection) -> None:
    same = deployment("one")
    await deploy_one(conn, same.model_copy(update={"tool_name": "evil"}))
    await deploy_one(conn, same)
    await conn.execute("update deployments set applied_at = $1 where tool_name = 'evil'", NOW)
    mine = await conn.fetchval("select applied_at from deployments where tool_name = 'parser'")
    assert await changed_at(conn, "parser") == mine
    assert [each.activation.activation for each in await committed_activations(conn, None)] == [
        1,
        1,
    ]
    await deploy_all(conn, "two")
    await deploy_all(conn, "two", tool="evil")
    order = automatic()
    rejected = by_a_person(order, to_version_id=2**31 - 1)
    for each in (order.model_copy(update={"tool_name": "evil"}), order, rejected):
        await roll_back(conn, each)
    assert await changed_at(conn, "parser") == await conn.fetchval(
        "select applied_at from rollbacks where tool_name = 'parser' and status = 'applied'"
    )
    current = await current_version(conn, "parser")
    assert current is not None
    activated = await committed_activations(conn, ["parser"])
    assert [each.activation.activation for each in activated] == [1, 2, 3]
    assert activated[-1].activation.activated_by == current.activated_by


def test_an_outcome_has_the_key_of_its_command() -> None:
    for order in (automatic(), command("other")):
        outcome = RollbackOutcome(
            command_id=order.command_id,
            tool_name=order.tool_name,
            status="applied",
            reason=order.reason,
            tier=order.tier,
            applied_at=NOW,
        )
        is_automatic = order.tier != "manual"
        assert outcome.key == order.key
        assert order.key == CommandKey(order.tool_name, order.command_id, is_automatic)
