"""Commands that are not applied at once: dry runs, and commands held for a person."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from db.postgres.pool import Connection, connect
from db.rollbacks.holds import due, expire, tools_due
from db.rollbacks.records import RollbackRecord, held, rollback_of
from db.versions.reading import current_version, history
from schemas.execution import ActivatedBy
from schemas.rollback import RollbackCommand, RollbackOutcome, Status
from schemas.rules.rules import Rules
from tests.support.inputs.stored import (
    NOW,
    answer,
    begin_stop,
    command,
    deploy,
    deploy_all,
    deployment,
    let_expire,
    roll_back,
    roll_back_each,
)

LATER = NOW + timedelta(hours=9)
APPROVED: dict[str, Any] = {"approved_by": "ann", "issued_at": LATER}
DISMISSED: dict[str, Any] = {"dismissed_by": "ben", "dismissal": "the test", "issued_at": LATER}


@pytest.fixture
async def conn(database_dsn: str) -> AsyncIterator[Connection]:
    conn = await connect(database_dsn)
    yield conn
    await conn.close()


async def decided(conn: Connection, mode: str, tool: str = "parser") -> RollbackCommand:
    """Return what the detector commands for the current version; it is not applied yet."""
    current = await current_version(conn, tool)
    assert current is not None
    return command(
        tool,
        from_version_id=current.version_id,
        from_activation=current.activation,
        tier="fast",
        reason="high_failure_rate",
        details={"executions": 7},
        mode=mode,
    )


async def hold(conn: Connection, tool: str = "parser") -> RollbackCommand:
    """Deploy two versions of the tool, and return a command that is held."""
    await deploy_all(conn, "one", "two", tool=tool)
    order = await decided(conn, "hold", tool)
    assert (await roll_back(conn, order)).status == "held"
    return order


async def numbers(conn: Connection, tool: str = "parser") -> tuple[int, int]:
    """Return number and activation of the current version."""
    current = await current_version(conn, tool)
    assert current is not None
    return current.version_number, current.activation


async def row(conn: Connection, command: RollbackCommand) -> RollbackRecord:
    found = await rollback_of(conn, command.key)
    assert found is not None
    return found


@pytest.mark.parametrize(("mode", "status"), [("observe", "observed"), ("hold", "held")])
async def test_changes_nothing_and_says_what_it_would(
    conn: Connection, mode: str, status: Status
) -> None:
    first, second = await deploy_all(conn, "one", "two")
    order = await decided(conn, mode)
    outcome = await roll_back(conn, order, Rules(hold_expires_s=90))
    assert outcome == RollbackOutcome(
        command_id=order.command_id,
        tool_name="parser",
        status=status,
        from_version_id=second,
        to_version_id=first,
        to_version_number=1,
        reason="high_failure_rate",
        tier="fast",
        explanation=outcome.explanation,
        applied_at=outcome.applied_at,
    )
    assert outcome.explanation is not None
    assert await numbers(conn) == (2, 2)
    assert [each.trusted for each in await history(conn, "parser", 10)] == [True, True]
    assert (await roll_back(conn, order)).to_bytes() == outcome.to_bytes()
    record = await row(conn, order)
    assert (record.from_version_number, record.to_version_number) == (2, 1)
    assert (record.from_activation, record.status) == (2, status)
    if mode == "hold":
        assert record.expires_at is not None
        waits = record.expires_at - record.applied_at
        assert timedelta(seconds=90) <= waits < timedelta(seconds=91)
    else:
        assert record.expires_at is None


@pytest.mark.parametrize("mode", ["observe", "hold"])
@pytest.mark.parametrize(
    ("named", "rejection"),
    [
        ({"from_version_id": 99}, "unknown_version"),
        ({"from_activation": 7}, "not_current"),
        ({"to_version_id": 1}, "already_current"),
        ({}, "no_previous_version"),
    ],
)
async def test_what_would_be_rejected_is(
    conn: Connection, mode: str, named: dict[str, Any], rejection: str
) -> None:
    await deploy_all(conn, "one")
    order = (await decided(conn, mode)).model_copy(update=named)
    outcome = await roll_back(conn, order)
    assert (outcome.status, outcome.rejection) == ("rejected", rejection)
    assert (await row(conn, order)).expires_at is None


async def test_an_approved_one_is_applied_as_an_automatic_one(conn: Connection) -> None:
    order = await hold(conn)
    approval = answer(order, APPROVED)
    outcome = await roll_back(conn, approval)
    assert (outcome.status, outcome.to_version_number) == ("applied", 1)
    current = await current_version(conn, "parser")
    assert current is not None
    assert (current.version_number, current.activation) == (1, 3)
    assert current.activated_by == ActivatedBy(kind="rollback", id=order.command_id)
    assert current.activated_at == LATER
    assert [each.trusted for each in await history(conn, "parser", 10)] == [False, True]
    record = await row(conn, order)
    assert (record.status, record.approved_by, record.dismissed_by) == ("applied", "ann", None)
    assert (record.applied_at, record.issued_at) == (outcome.applied_at, order.issued_at)
    assert record.details == {"executions": 7}

    # whatever comes of it again
    await deploy_all(conn, "three")
    for again in (order, approval, answer(order, DISMISSED), answer(order, {"approved_by": "x"})):
        assert (await roll_back(conn, again)).to_bytes() == outcome.to_bytes()
    assert await row(conn, order) == record
    assert await numbers(conn) == (3, 4)


async def test_a_dismissed_one_changes_nothing(conn: Connection) -> None:
    order = await hold(conn)
    outcome = await roll_back(conn, answer(order, DISMISSED))
    assert (outcome.status, outcome.rejection) == ("rejected", "dismissed")
    assert (outcome.to_version_id, outcome.to_version_number) == (None, None)
    for again in (order, answer(order, DISMISSED), answer(order, APPROVED)):
        assert (await roll_back(conn, again)).to_bytes() == outcome.to_bytes()
    record = await row(conn, order)
    assert (record.dismissed_by, record.dismissal) == ("ben", "the test")
    assert (record.approved_by, record.to_version_number) == (None, 1)
    assert await numbers(conn) == (2, 2)
    assert (await history(conn, "parser", 1))[0].rollbacks == [record]
    assert (await history(conn, "parser", 1))[0].trusted


@pytest.mark.parametrize("said", [APPROVED, DISMISSED, {}], ids=["approved", "dismissed", "again"])
async def test_after_its_time_it_is_expired(conn: Connection, said: dict[str, Any]) -> None:
    order = await hold(conn)
    over_at = await let_expire(conn, order)
    outcome = await roll_back(conn, answer(order, said))
    assert (outcome.status, outcome.rejection) == ("rejected", "expired")
    assert outcome.applied_at == over_at
    assert (await roll_back(conn, answer(order, APPROVED))).to_bytes() == outcome.to_bytes()
    record = await row(conn, order)
    assert (record.approved_by, record.dismissed_by) == (None, None)
    assert await numbers(conn) == (2, 2)


async def test_nobody_has_to_ask(conn: Connection) -> None:
    """What is said of an expired one before it is stored is what it comes to."""
    orders = [await hold(conn, tool) for tool in ("a", "b", "c")]
    assert await tools_due(conn) == []
    for order in orders[:2]:
        await let_expire(conn, order)
    assert sorted(await tools_due(conn)) == ["a", "b"]
    [said] = await due(conn, "a")
    assert await due(conn, "a") == [said]
    rows = await expire(conn, [order.key for order in orders])
    assert {row["tool_name"] for row in rows} == {"a", "b"}
    assert (await roll_back(conn, orders[0])).to_bytes() == said.to_bytes()
    assert (await roll_back(conn, orders[2])).status == "held"
    assert await tools_due(conn) == []
    assert await due(conn, "a") == []


async def test_one_whose_version_was_replaced_cannot_be_approved(conn: Connection) -> None:
    order = await hold(conn)
    await deploy(conn, deployment("three"))
    outcome = await roll_back(conn, answer(order, APPROVED))
    assert (outcome.status, outcome.rejection) == ("rejected", "not_current")
    assert (await roll_back(conn, order)).to_bytes() == outcome.to_bytes()
    assert (await row(conn, order)).approved_by == "ann"
    assert await numbers(conn) == (3, 3)


async def test_of_the_activation_that_was_held_alone(conn: Connection) -> None:
    """Also where the command named none, and the same version is current once more."""
    first, second = await deploy_all(conn, "one", "two")
    order = command(tier="fast", reason="regression", mode="hold")
    assert (await roll_back(conn, order)).from_version_id == second
    for target in (first, second):
        await roll_back(conn, command(to_version_id=target))
    assert (await roll_back(conn, answer(order, APPROVED))).rejection == "not_current"


async def test_what_was_shown_is_what_is_done(conn: Connection) -> None:
    """An answer says yes or no, and nothing else."""
    order = await hold(conn)
    await hold(conn, "other")
    third = (await deploy_all(conn, "x", tool="third"))[0]
    foreign = answer(order, {**APPROVED, "tool_name": "third"})
    assert (await roll_back(conn, foreign)).rejection == "unknown_version"
    assert (await row(conn, order)).status == "held"
    assert await numbers(conn, "third") == (1, 1)
    changed = {"to_version_id": third, "from_version_id": None, "tier": "manual"}
    outcome = await roll_back(conn, answer(order, APPROVED | changed))
    assert (outcome.status, outcome.to_version_number, outcome.tier) == ("applied", 1, "fast")


async def test_a_pin_stops_no_person(conn: Connection) -> None:
    order = await hold(conn)
    await begin_stop(conn, "pin", "parser")
    assert (await roll_back(conn, await decided(conn, "hold"))).rejection == "pinned"
    assert (await roll_back(conn, answer(order, APPROVED))).status == "applied"


@pytest.mark.parametrize("mode", [None, "observe"])
async def test_what_is_not_held_needs_no_answer(conn: Connection, mode: str | None) -> None:
    await deploy_all(conn, "one", "two")
    order = answer(await decided(conn, "hold"), {"mode": mode})
    outcome = await roll_back(conn, order)
    before = await numbers(conn), await row(conn, order)
    for said in (APPROVED, DISMISSED):
        assert await roll_back(conn, answer(order, said)) == outcome
    assert (await numbers(conn), await row(conn, order)) == before


async def test_an_answer_to_what_was_never_seen(conn: Connection) -> None:
    """Says what a person wants, all the same: a no never changes anything."""
    await deploy_all(conn, "one", "two")
    no = answer(await decided(conn, "hold"), DISMISSED)
    assert (await roll_back(conn, no)).rejection == "dismissed"
    assert (await row(conn, no)).dismissal == "the test"
    assert await numbers(conn) == (2, 2)
    yes = answer(await decided(conn, "hold"), APPROVED)
    assert (await roll_back(conn, yes)).status == "applied"
    assert (await row(conn, yes)).approved_by == "ann"


async def test_which_wait(conn: Connection) -> None:
    orders = [await hold(conn, tool) for tool in ("a", "b", "c", "d", "e")]
    again = await decided(conn, "hold", "a")
    await roll_back(conn, again)
    _, b, c, d, e = orders
    await let_expire(conn, b)
    await roll_back(conn, answer(c, DISMISSED))
    await deploy(conn, deployment("three", "d"))
    found = await held(conn, None)
    assert [each.command_id for each in found] == [
        each.command_id for each in (again, e, orders[0])
    ]
    assert [(each.from_version_number, each.to_version_number) for each in found] == [(2, 1)] * 3
    assert await held(conn, "a") == [found[0], found[2]]
    assert await held(conn, "d") == await held(conn, "nobody") == []
    assert (await row(conn, d)).status == "held"


async def test_in_a_group_with_others(conn: Connection) -> None:
    orders = {tool: await hold(conn, tool) for tool in "abcd"}
    await let_expire(conn, orders["c"])
    await deploy_all(conn, "one", "two", tool="e")
    outcomes = await roll_back_each(
        conn,
        [
            answer(orders["a"], APPROVED),
            await decided(conn, "hold", "e"),
            answer(orders["b"], DISMISSED),
            answer(orders["c"], APPROVED),
            command("d", command_id=uuid4()),
        ],
        lambda tool: Rules(hold_expires_s=len(tool)),
    )
    assert [each.rejection or each.status for each in outcomes] == [
        *("applied", "held", "dismissed", "expired", "applied"),
    ]
    assert [(await numbers(conn, tool))[0] for tool in "abcde"] == [1, 2, 2, 1, 2]
