"""The fleet's brake: the applier holds rollbacks when many tools were rolled back just now."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from db.postgres.pool import Connection, Pool, acquire
from db.rollbacks.holds import due, expire
from db.rollbacks.records import held, rollback_of
from db.versions.reading import current_versions
from schemas.rollback import RollbackOutcome, automatic_command_id
from tests.support.inputs.stored import NOW, command, deploy_all, held_locks, let_expire
from tests.support.systems.guarded_applier import Guarded, automatic_command

TOOLS = [f"tool-{number}" for number in range(6)]


class Braked(Guarded):
    """An applier under policy `guarded` that rolls back three tools in ten minutes."""

    def __init__(self, pool: Pool, **changes: Any) -> None:
        super().__init__(pool, **({"fleet_budget": 3} | changes))
        self.pool = pool

    def count(self) -> float | None:
        return self.registry.get_sample_value("rollguard_fleet_holds_total")


@pytest.fixture
def applier(pool: Pool) -> Braked:
    return Braked(pool)


@pytest.fixture(autouse=True)
async def tools(conn: Connection) -> None:
    for tool in [*TOOLS, "seed"]:
        await deploy_all(conn, f"{tool} one", f"{tool} two", tool=tool)


def statuses(applier: Guarded) -> list[str]:
    return [each.status for each in applier.broker.rolled_back()]


async def numbers(conn: Connection) -> list[int]:
    """Return the number of the current version of each tool."""
    current = await current_versions(conn, TOOLS)
    return [current[tool].version_number for tool in TOOLS]


async def test_more_than_the_budget_are_held_in_one_group(
    applier: Braked, conn: Connection
) -> None:
    await applier.condemn(conn, *TOOLS)
    assert statuses(applier) == ["applied"] * 3 + ["held"] * 3
    assert await numbers(conn) == [1, 1, 1, 2, 2, 2]
    reasons = [each.hold_reason for each in applier.broker.rolled_back()]
    assert reasons == [None] * 3 + ["fleet_budget"] * 3
    explained = [each.explanation for each in applier.broker.rolled_back()]
    in_force = [each and each.thresholds.get("fleet_budget") for each in explained]
    assert in_force == [None] * 3 + [3] * 3
    assert {each.tool_name for each in await held(conn, None)} == set(TOOLS[3:])
    assert applier.count() == 3
    assert await held_locks(conn) == 0


async def test_they_are_held_one_after_the_other_too(applier: Braked, conn: Connection) -> None:
    for tool in TOOLS:
        await applier.condemn(conn, tool)
    assert statuses(applier) == ["applied"] * 3 + ["held"] * 3


async def test_only_the_time_of_events_counts(applier: Braked, conn: Connection) -> None:
    for number, tool in enumerate(TOOLS):
        await applier.condemn(conn, tool, issued_at=NOW + timedelta(seconds=200 * number))
    assert statuses(applier) == ["applied"] * 6
    other = Braked(applier.pool, fleet_budget_s=601)
    await deploy_all(conn, "three", tool=TOOLS[5])
    await other.condemn(conn, TOOLS[5], issued_at=NOW + timedelta(seconds=800))
    assert statuses(other) == ["held"]


async def test_a_repeated_command_has_the_same_outcome(applier: Braked, conn: Connection) -> None:
    orders = [await automatic_command(conn, tool) for tool in TOOLS]
    await applier.roll_back(*orders)
    first = [each.to_bytes() for each in applier.broker.rolled_back()]
    await applier.roll_back(*reversed(orders))
    assert [each.to_bytes() for each in applier.broker.rolled_back()[6:]] == first[::-1]


async def test_the_next_attempt_is_held_until_somebody_answers(
    applier: Braked, conn: Connection
) -> None:
    """Otherwise every tool would be turned back in the end, three every ten minutes."""
    await applier.condemn(conn, *TOOLS)
    orders = {each.tool_name: each for each in await held(conn, None)}
    later = {"issued_at": NOW + timedelta(hours=2)}
    [tool, other, _] = TOOLS[3:]

    async def attempt(tool: str, number: int) -> RollbackOutcome:
        current = (await current_versions(conn, [tool]))[tool]
        command_id = automatic_command_id(tool, current.version_id, current.activation, number)
        return await applier.condemn(conn, tool, command_id=command_id, **later)

    assert (await attempt(tool, 2)).hold_reason == "fleet_budget"
    for each in await held(conn, tool):
        answer = await automatic_command(
            conn, tool, command_id=each.command_id, dismissed_by="someone", dismissal="no"
        )
        await applier.roll_back(answer)
    outcome = await attempt(tool, 3)
    assert (outcome.status, outcome.hold_reason) == ("applied", None)
    # an expired one does not hold the next one either
    await let_expire(
        conn, await automatic_command(conn, other, command_id=orders[other].command_id)
    )
    assert (await attempt(other, 2)).status == "applied"


async def test_an_approved_one_is_carried_out_and_does_not_count(
    applier: Braked, conn: Connection
) -> None:
    await applier.condemn(conn, *TOOLS[:4])
    order = await automatic_command(conn, TOOLS[3])
    outcome = await applier.condemn(conn, TOOLS[3], approved_by="someone")
    assert (outcome.status, outcome.hold_reason) == ("applied", "fleet_budget")
    record = await rollback_of(conn, order.key)
    assert record is not None
    assert (record.hold_reason, record.approved_by) == ("fleet_budget", "someone")
    # three are near this one, with the approved one it would be four
    wider = Braked(applier.pool, fleet_budget=4)
    await wider.condemn(conn, TOOLS[4])
    assert statuses(wider) == ["applied"]


async def test_an_expired_one_says_that_it_was_held(applier: Braked, conn: Connection) -> None:
    await applier.condemn(conn, *TOOLS[:4])
    order = await automatic_command(conn, TOOLS[3])
    await let_expire(conn, order)
    [told] = await due(conn, TOOLS[3])
    assert (told.rejection, told.hold_reason) == ("expired", "fleet_budget")
    await expire(conn, [order.key])
    await applier.roll_back(order)
    assert applier.broker.rolled_back()[-1].to_bytes() == told.to_bytes()


async def test_neither_people_nor_policy_seed_are_held(applier: Braked, conn: Connection) -> None:
    await applier.condemn(conn, *TOOLS[:3])
    await applier.roll_back(command(TOOLS[3]))
    assert (await applier.condemn(conn, "seed")).status == "applied"
    assert statuses(applier) == ["applied"] * 5


async def test_other_reasons_come_first(applier: Braked, conn: Connection) -> None:
    await applier.condemn(conn, *TOOLS[:3])
    outcome = await applier.condemn(conn, TOOLS[3], from_activation=1)
    assert outcome.rejection == "not_current"
    outcome = await applier.condemn(conn, TOOLS[4], mode="hold")
    assert (outcome.status, outcome.hold_reason) == ("held", None)


async def test_appliers_that_decide_at_the_same_time_keep_the_budget(
    pool: Pool, conn: Connection
) -> None:
    appliers = [Braked(pool) for _ in TOOLS]
    orders = [await automatic_command(conn, tool) for tool in TOOLS]
    await asyncio.gather(
        *(each.roll_back(order) for each, order in zip(appliers, orders, strict=True))
    )
    assert sorted(await numbers(conn)) == [1, 1, 1, 2, 2, 2]
    async with acquire(pool) as other:
        assert len(await held(other, None)) == 3


async def test_the_fleets_lock_is_made_again_if_it_is_missing(
    applier: Braked, conn: Connection
) -> None:
    await conn.execute("delete from tool_locks where kind = 'fleet'")
    await applier.condemn(conn, *TOOLS)
    assert statuses(applier) == ["applied"] * 3 + ["held"] * 3
