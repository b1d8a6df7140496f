"""Targets that break calls: the outcome names the breaks; by a setting the rollback is held."""

import pytest

from agents.applier import comparisons
from db.postgres.pool import Connection, Pool
from db.versions.reading import current_version
from schemas.rollback import RollbackOutcome
from tests.support.inputs.stored import command, deploy_all, held_locks
from tests.support.systems.applier import TOPICS
from tests.support.systems.guarded_applier import Guarded, automatic_command


async def test_the_outcome_names_what_the_target_breaks(guarded: Guarded, conn: Connection) -> None:
    await deploy_all(conn, "one", "two")
    guarded.comparer.kind = "function_removed"
    order = await automatic_command(conn)
    await guarded.roll_back(order, order)
    first, again = guarded.broker.of(TOPICS.outcomes)
    assert again == first
    outcome = RollbackOutcome.from_bytes(first)
    assert (outcome.status, outcome.is_breaking_change) == ("applied", True)
    assert outcome.breaking_changes == ["two to one"]
    # Only before the lock: nothing had changed under it, and a replay is not compared.
    assert guarded.comparer.asked == [("two", "one")]


async def test_a_risky_change_is_named_and_does_not_hold_the_rollback(
    pool: Pool, conn: Connection
) -> None:
    await deploy_all(conn, "one", "two")
    outcome = await Guarded(pool, hold_breaking_targets=True).condemn(conn, "parser")
    assert (outcome.status, outcome.is_breaking_change) == ("applied", False)
    assert outcome.breaking_changes == ["two to one"]


async def test_another_target_is_compared_under_the_lock(
    guarded: Guarded, conn: Connection
) -> None:
    """The first target loses its trust while its code is compared."""
    await deploy_all(conn, "one", "two", "three")

    async def distrust_two() -> None:
        assert await held_locks(conn) == 0
        await conn.execute(
            "insert into distrusted_code select tool_name, code_hash, gen_random_uuid(), now()"
            " from tool_versions where code = 'two'"
        )

    guarded.comparer.meanwhile = distrust_two
    outcome = await guarded.condemn(conn, "parser")
    assert guarded.comparer.asked == [("three", "two"), ("three", "one")]
    assert (outcome.to_version_number, outcome.breaking_changes) == (1, ["three to one"])


async def test_a_rejected_command_is_not_compared(guarded: Guarded, conn: Connection) -> None:
    await deploy_all(conn, "one", "two")
    outcome = await guarded.condemn(conn, "parser", from_activation=1)
    assert (outcome.rejection, guarded.comparer.asked) == ("not_current", [])
    await deploy_all(conn, "one", tool="alone")
    outcome = await guarded.condemn(conn, "alone")
    assert (outcome.rejection, guarded.comparer.asked) == ("no_previous_version", [])


async def test_a_named_target_is_compared_too(guarded: Guarded, conn: Connection) -> None:
    first, _, _ = await deploy_all(conn, "one", "two", "three")
    outcome = await guarded.condemn(conn, "parser", to_version_id=first)
    assert (outcome.to_version_id, outcome.target) == (first, None)
    assert outcome.breaking_changes == ["three to one"]
    outcome = await guarded.condemn(conn, "parser", to_version_id=2**31 - 1)
    assert outcome.rejection == "unknown_version"


async def test_by_a_setting_a_breaking_target_is_held(pool: Pool, conn: Connection) -> None:
    guarded = Guarded(pool, hold_breaking_targets=True)
    guarded.comparer.kind = "function_removed"
    await deploy_all(conn, "one", "two")
    outcome = await guarded.condemn(conn, "parser")
    assert (outcome.status, outcome.is_breaking_change) == ("held", True)
    assert guarded.broker.shape() == [(TOPICS.outcomes, ["parser"])]  # nothing else is published
    current = await current_version(conn, "parser")
    assert current is not None
    assert current.version_number == 2
    await guarded.roll_back(command())  # a person's
    assert guarded.broker.rolled_back()[-1].status == "applied"


async def test_an_approved_command_is_neither_held_nor_limited(
    pool: Pool, conn: Connection
) -> None:
    guarded = Guarded(pool, hold_breaking_targets=True, rollback_budget=1, cooldown_s=60)
    guarded.comparer.kind = "function_removed"
    await deploy_all(conn, "one", "two", "three")
    for number in (2, 1):
        outcome = await guarded.condemn(conn, "parser", approved_by="someone")
        assert (outcome.status, outcome.to_version_number) == ("applied", number)


async def test_a_tool_whose_code_takes_long_to_compare_delays_no_other(
    guarded: Guarded, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparisons, "PATIENCE_S", 0.05)
    for tool in "abc":
        await deploy_all(conn, f"{tool} one", f"{tool} two", tool=tool)
    guarded.comparer.slow = {"b one": guarded.broker.rolled_back}
    await guarded.condemn(conn, *"abc")
    together = [tools for topic, tools in guarded.broker.shape() if topic == TOPICS.outcomes]
    assert together == [["a", "c"], ["b"]]
    assert [each.status for each in guarded.broker.rolled_back()] == ["applied"] * 3
