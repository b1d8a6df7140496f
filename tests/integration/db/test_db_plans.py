"""Plans for automatic rollbacks: what they are made of, and what is stored of them."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from db.postgres.pool import Connection
from db.rollbacks.plans import Plan, Standing, automatic_rollbacks, codes, undecided
from db.rollbacks.rollbacks import roll_back, roll_back_each, rollback_by_id
from db.rollbacks.trust import Target
from db.versions.tool_versions import current_versions
from schemas.deployment import code_hash_of
from schemas.rollback import RollbackCommand
from schemas.rules import Rules
from tests.integration.db.test_db import NOW, command, deploy_all, execution, record_all
from tests.integration.db.test_db_trust import trusted

SENTENCES = ["execute() lost \0 its parameter 'x'."]


def rules_of(tool: str) -> Rules:
    return Rules(policy="guarded")


def automatic(tool: str = "parser", **fields: Any) -> RollbackCommand:
    return command(tool, **({"tier": "fast", "reason": "complete_failure"} | fields))


def plan(target: Target | None, **fields: Any) -> Plan:
    """Nothing stands in the way."""
    return Plan(target, "nearest", [], False, None, False)._replace(**fields)


async def target_of(conn: Connection, number: int) -> Target:
    row = await conn.fetchrow("select * from tool_versions where version_number = $1", number)
    assert row is not None
    return Target.of(row)


async def test_what_is_not_decided_yet(conn: Connection) -> None:
    """About the version and the activation that are current, if they are named, and new or held."""
    first, second = await deploy_all(conn, "one", "two")
    await record_all(
        conn, execution(version_id=second), execution(version_id=second, success=False)
    )
    standing = {"parser": Standing(second, code_hash_of("two"), 2, 1)}
    about: dict[str, Any] = {"from_version_id": second, "from_activation": 2}
    for fields in (about, {}, {"from_version_id": second}, {"from_activation": 2}):
        assert await undecided(conn, [automatic(**fields)]) == standing
    for fields in (about | {"from_version_id": first}, about | {"from_activation": 1}):
        assert await undecided(conn, [automatic(**fields)]) == {}
    assert await undecided(conn, [automatic("nobody")]) == {}

    held, rejected = automatic(), automatic(from_version_id=first)
    await roll_back_each(
        conn, [held], rules_of, {"parser": plan(await target_of(conn, 1), is_held=True)}
    )
    await roll_back(conn, rejected)
    assert await undecided(conn, [held]) == standing
    assert await undecided(conn, [rejected.model_copy(update={"from_version_id": None})]) == {}


async def test_when_a_tool_was_rolled_back_by_machine(conn: Connection) -> None:
    """Applied ones alone, by when they were issued, within the span on either side."""
    first, second = await deploy_all(conn, "one", "two")
    await deploy_all(conn, "one", "two", tool="other")
    there = first, second
    hours = (0, 1, 2, 3)
    for number, hour in enumerate(hours):  # back and forth; what they name need not be trusted
        at = NOW + timedelta(hours=hour)
        assert (
            await roll_back(conn, automatic(to_version_id=there[number % 2], issued_at=at))
        ).status == "applied"
    await roll_back(conn, automatic(from_version_id=first, issued_at=NOW))  # rejected
    await roll_back(conn, command(to_version_id=first, issued_at=NOW))
    await roll_back(conn, automatic("other", issued_at=NOW + timedelta(hours=1)))

    async def found(hour: float, span_s: int, budget: int = 10) -> list[float]:
        rules = Rules(rollback_budget=budget, rollback_budget_s=span_s)
        asked = automatic(issued_at=NOW + timedelta(hours=hour))
        times = (await automatic_rollbacks(conn, [(asked, rules)])).get("parser", [])
        return sorted((time - NOW) / timedelta(hours=1) for time in times)

    assert await found(3, 86_400) == [0, 1, 2, 3]
    assert await found(4, 3 * 3_600) == [2, 3]  # 1 is just out
    assert await found(1, 3_601) == [0, 1, 2]
    assert await found(-9, 3_600) == []
    assert len(await found(3, 86_400, budget=3)) == 3
    rules = Rules()
    asked = [(automatic(tool), rules) for tool in ("parser", "other", "nobody")]
    counts = {tool: len(times) for tool, times in (await automatic_rollbacks(conn, asked)).items()}
    assert counts == {"parser": 4, "other": 1}
    assert await automatic_rollbacks(conn, []) == {}


async def test_code_of_this_tool_alone(conn: Connection) -> None:
    first, second = await deploy_all(conn, "one", "two")
    (alien,) = await deploy_all(conn, "three", tool="other")
    wanted = [("parser", first), ("parser", alien), ("other", alien), ("parser", 2**31 - 1)]
    assert await codes(conn, wanted) == {first: "one", alien: "three"}
    assert await codes(conn, []) == {}
    assert second not in await codes(conn, wanted)


async def test_a_plan_says_where_it_leads_and_what_that_breaks(conn: Connection) -> None:
    ids = await deploy_all(conn, "one", "two", "three")
    order = automatic()
    planned = plan(await target_of(conn, 1), choice="earned", breaking=SENTENCES, is_breaking=True)
    [outcome] = await roll_back_each(conn, [order], rules_of, {"parser": planned})
    assert (outcome.status, outcome.to_version_id, outcome.target) == ("applied", ids[0], "earned")
    assert outcome.is_breaking_change
    assert outcome.breaking_changes == ["execute() lost \u2400 its parameter 'x'."]
    assert await trusted(conn) == [True, True, False]
    [again] = await roll_back_each(conn, [order], rules_of, {"parser": plan(None)})
    assert again.to_bytes() == outcome.to_bytes()
    record = await rollback_by_id(conn, order.command_id)
    assert record is not None
    assert (record.target, record.is_breaking_change) == ("earned", True)
    assert record.breaking_changes == outcome.breaking_changes


@pytest.mark.parametrize("rollback_limit", ["budget", "cooldown"])
async def test_a_brake_comes_after_every_other_rejection(
    conn: Connection, rollback_limit: Any
) -> None:
    first, second = await deploy_all(conn, "one", "two")
    braked = {"parser": plan(await target_of(conn, 1), rollback_limit=rollback_limit, is_held=True)}
    wrong: dict[str, dict[str, Any]] = {
        "unknown_version": {"to_version_id": 2**31 - 1},
        "not_current": {"from_version_id": first},
        "already_current": {"to_version_id": second},
        rollback_limit: {},
    }
    for rejection, fields in wrong.items():
        order = automatic(**fields)
        [outcome] = await roll_back_each(conn, [order], rules_of, braked)
        assert (outcome.status, outcome.rejection) == ("rejected", rejection)
        told = outcome.to_version_id, outcome.target, outcome.is_breaking_change
        assert told == (None, None, None)
        assert await roll_back_each(conn, [order], rules_of, {}) == [outcome]
    [outcome] = await roll_back_each(
        conn, [automatic()], rules_of, {"parser": plan(None, rollback_limit=rollback_limit)}
    )
    assert outcome.rejection == "no_previous_version"
    assert await trusted(conn) == [True, True]
    assert (await current_versions(conn, ["parser"]))["parser"].version_id == second


async def test_what_is_held_changes_nothing(conn: Connection) -> None:
    first, second = await deploy_all(conn, "one", "two")
    order = automatic()
    held = plan(await target_of(conn, 1), breaking=["x"], is_breaking=True, is_held=True)
    [outcome] = await roll_back_each(conn, [order], rules_of, {"parser": held})
    assert (outcome.status, outcome.rejection, outcome.breaking_changes) == ("held", None, ["x"])
    assert (outcome.from_version_id, outcome.to_version_id) == (second, first)
    assert await roll_back_each(conn, [order], rules_of) == [outcome]
    assert await trusted(conn) == [True, True]
    current = (await current_versions(conn, ["parser"]))["parser"]
    assert (current.version_id, current.activation) == (second, 2)


async def test_plans_are_for_their_own_tool(conn: Connection) -> None:
    """Of a group some have plans, and the others go their way as ever."""
    for tool in "ab":
        await deploy_all(conn, "one", "two", "three", tool=tool)
    row = await conn.fetchrow("select * from tool_versions where tool_name = 'a'")
    assert row is not None
    orders = [automatic(tool, command_id=uuid4()) for tool in "ab"]
    outcomes = await roll_back_each(
        conn, orders, rules_of, {"a": plan(Target.of(row), choice="earned")}
    )
    assert [(each.to_version_number, each.target) for each in outcomes] == [
        (1, "earned"),
        (2, None),
    ]
