"""The facts that a decision about a rollback command is made of."""

from datetime import timedelta
from typing import Any

from db.postgres.pool import Connection
from db.rollbacks.facts import (
    CurrentVersion,
    ToolFacts,
    automatic_rollbacks,
    codes,
    stored_commands,
    tool_facts,
)
from db.rollbacks.trust import Target
from schemas.deployment import code_hash_of
from schemas.rollback import RollbackCommand
from schemas.rules.rules import Rules
from tests.support.inputs.stored import (
    NOW,
    answer,
    begin_stop,
    command,
    deploy_all,
    execution,
    let_expire,
    record_all,
    roll_back,
)

APPROVED = {"approved_by": "ann"}


def automatic(tool: str = "parser", **fields: Any) -> RollbackCommand:
    return command(tool, **({"tier": "fast", "reason": "complete_failure"} | fields))


async def test_what_is_known_of_a_tool_and_of_the_versions_that_are_named(conn: Connection) -> None:
    first, second = await deploy_all(conn, "one", "two")
    (alien,) = await deploy_all(conn, "one", tool="other")
    await record_all(
        conn, execution(version_id=second), execution(version_id=second, success=False)
    )
    await begin_stop(conn, "pin", "other")
    current = CurrentVersion(second, 2, code_hash_of("two"), 2, 1, [])
    target = Target(first, 1, code_hash_of("one"))

    async def known(**fields: Any) -> ToolFacts:
        return (await tool_facts(conn, [automatic(**fields)]))["parser"]

    assert await known() == ToolFacts(current, frozenset(), None, False, False)
    assert await known(from_version_id=first) == ToolFacts(
        current, frozenset({first}), None, False, False
    )
    assert await known(from_version_id=second, to_version_id=first) == ToolFacts(
        current, frozenset({first, second}), target, False, False
    )
    assert await known(from_version_id=alien, to_version_id=alien) == ToolFacts(
        current, frozenset(), None, False, False
    )
    several = await tool_facts(conn, [automatic(tool) for tool in ("parser", "other", "nobody")])
    assert several["parser"] == await known()
    assert several["other"].is_pinned
    assert several["nobody"] == ToolFacts(None, frozenset(), None, False, False)
    assert await tool_facts(conn, []) == {}


async def test_which_commands_have_a_row(conn: Connection) -> None:
    await deploy_all(conn, "one", "two")
    held, rejected = automatic(mode="hold"), automatic("other", from_activation=1)
    await roll_back(conn, held)
    await roll_back(conn, rejected)
    found = await stored_commands(conn, [held, rejected, automatic("nobody")])
    assert {tool: row.outcome.status for tool, row in found.items()} == {
        "parser": "held",
        "other": "rejected",
    }
    assert [row.is_expired for row in found.values()] == [False, False]
    approval = answer(held, {"approved_by": "ann", "tier": "manual"})
    answered = found["parser"].answered_by(approval)
    assert answered is not None
    assert (answered.tier, answered.approved_by, answered.from_activation) == ("fast", "ann", 2)
    assert found["parser"].answered_by(held) is None
    assert found["other"].answered_by(approval) is None
    await let_expire(conn, held)
    assert (await stored_commands(conn, [held]))["parser"].is_expired
    assert await stored_commands(conn, []) == {}


async def test_a_row_is_of_a_tool_an_id_and_a_kind(conn: Connection) -> None:
    await deploy_all(conn, "one", "two")
    held = automatic(mode="hold")
    await roll_back(conn, held)
    by_a_person = answer(held, {"tier": "manual", "mode": None})
    for other in (answer(held, {"tool_name": "other"}), by_a_person):
        assert await stored_commands(conn, [other]) == {}
    for same in (held, answer(held, {"tier": "immediate"}), answer(by_a_person, APPROVED)):
        assert (await stored_commands(conn, [same]))["parser"].row["tier"] == "fast"
    assert (await roll_back(conn, by_a_person)).status == "applied"
    for answered in (answer(held, APPROVED), answer(by_a_person, APPROVED)):
        assert (await stored_commands(conn, [answered]))["parser"].row["tier"] == "fast"
    assert (await stored_commands(conn, [by_a_person]))["parser"].row["tier"] == "manual"


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
        at = NOW + timedelta(hours=hour)
        times = (await automatic_rollbacks(conn, [("parser", at, rules)])).get("parser", [])
        return sorted((time - NOW) / timedelta(hours=1) for time in times)

    assert await found(3, 86_400) == [0, 1, 2, 3]
    assert await found(4, 3 * 3_600) == [2, 3]  # 1 is just out
    assert await found(1, 3_601) == [0, 1, 2]
    assert await found(-9, 3_600) == []
    assert len(await found(3, 86_400, budget=3)) == 3
    rules = Rules()
    asked = [(tool, NOW, rules) for tool in ("parser", "other", "nobody")]
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
