"""The calls around a rollback: which ones count, and whom the failed ones concern."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from db.postgres.pool import Connection, connect
from db.rollbacks.costs import (
    CallsInPart,
    CallSpan,
    call_spans,
    calls_around,
    calls_by_parts,
    concerned_by,
)
from policy.rollbacks.costs import Calls
from schemas.execution import Execution
from schemas.rollback import RollbackCommand
from tests.support.inputs.stored import command, deploy_all, execution, record_all, roll_back


@pytest.fixture
async def conn(database_dsn: str) -> AsyncIterator[Connection]:
    conn = await connect(database_dsn)
    yield conn
    await conn.close()


async def now(conn: Connection) -> datetime:
    found: datetime = await conn.fetchval("select clock_timestamp()")
    return found


def call(version_id: int, at: datetime, success: bool = False, **more: Any) -> Execution:
    return execution(version_id=version_id, executed_at=at, success=success, **more)


async def span_of(conn: Connection, given: RollbackCommand) -> CallSpan:
    [span] = (await call_spans(conn, [given.key])).values()
    return span


async def test_calls_before_a_rollback_late_ones_and_those_after(conn: Connection) -> None:
    first, second = await deploy_all(conn, "one", "two")
    deployed = await now(conn)
    given = command(from_version_id=second, to_version_id=first, issued_at=deployed)
    outcome = await roll_back(conn, given)
    assert outcome.status == "applied"
    replaced = outcome.applied_at
    between = deployed + (replaced - deployed) / 2
    second_s = timedelta(seconds=1)
    await record_all(
        conn,
        *(call(second, deployed - n * second_s, session_id="s", caller="c") for n in (1, 2, 3)),
        call(second, deployed - 4 * second_s, True),
        call(second, deployed - 5 * second_s, error_origin="caller", session_id="not the tool's"),
        call(second, between, session_id="t"),
        call(second, replaced + second_s, session_id=""),
        call(second, replaced + second_s, True),
        call(second, replaced + timedelta(days=2)),
        *(call(first, replaced + n * second_s, n % 4 != 0) for n in range(1, 9)),
        call(first, deployed - second_s),
    )
    span = await span_of(conn, given)
    assert span.began_at is None
    assert (span.replaced_at, span.is_applied) == (replaced, True)
    [found] = await calls_around(conn, [span])
    assert found.before == Calls(4, 3)
    assert found.waiting == Calls(1, 1)
    assert found.late == Calls(2, 1)
    assert found.after == Calls(8, 2)
    assert (found.is_cut, found.is_after_cut) == (False, False)
    [cut] = await calls_around(conn, [span], most=3)
    assert (cut.is_cut, cut.is_after_cut) == (True, True)
    assert (cut.before, cut.waiting) == (Calls(2, 2), Calls(1, 1))
    concerned = await concerned_by(conn, span)
    assert [(each.kind, each.name, each.failures, each.named) for each in concerned] == [
        *(("caller", "c", 3, 1), ("caller", None, 2, 1)),
        *(("session", "s", 3, 2), ("session", None, 1, 2), ("session", "t", 1, 2)),
    ]
    parts = await calls_by_parts(conn, span, replaced - 10 * second_s, replaced + 10 * second_s, 2)
    assert parts == [
        CallsInPart(first, 0, 1, 1),
        CallsInPart(second, 0, 5, 4),
        CallsInPart(first, 1, 8, 2),
        CallsInPart(second, 1, 2, 1),
    ]


async def test_a_version_that_was_activated_again_counts_from_then(conn: Connection) -> None:
    first, second = await deploy_all(conn, "one", "two")
    deployed = await now(conn)
    away = command(from_version_id=second, to_version_id=first, issued_at=deployed)
    back = command(from_version_id=first, to_version_id=second, issued_at=await now(conn))
    again = command(from_version_id=second, to_version_id=first, issued_at=await now(conn))
    for each in (away, back, again):
        assert (await roll_back(conn, each)).status == "applied"
    await record_all(
        conn,
        call(second, deployed - timedelta(seconds=1)),
        call(second, back.issued_at),
        call(second, again.issued_at),
    )
    span_away, span_again = await span_of(conn, away), await span_of(conn, again)
    assert span_again.began_at == back.issued_at
    assert span_away.late_until == back.issued_at
    assert span_away.after_until is not None
    found_away, found_again = await calls_around(conn, [span_away, span_again])
    assert (found_away.before.failures, found_away.late.failures) == (1, 0)
    assert found_again.before.failures + found_again.waiting.failures == 2


async def test_what_was_not_carried_out_goes_on_until_the_version_is_replaced(
    conn: Connection,
) -> None:
    [first] = await deploy_all(conn, "one")
    issued = await now(conn)
    given = command(
        tier="immediate",
        reason="complete_failure",
        from_version_id=first,
        from_activation=1,
        issued_at=issued,
    )
    assert (await roll_back(conn, given)).rejection == "no_previous_version"
    assert (await span_of(conn, given)).replaced_at is None
    await record_all(conn, call(first, issued), call(first, issued + timedelta(seconds=30)))
    [found] = await calls_around(conn, [await span_of(conn, given)])
    assert (found.before, found.waiting, found.after) == (Calls(1, 1), Calls(1, 1), Calls())
    await deploy_all(conn, "two")
    span = await span_of(conn, given)
    assert span.replaced_at is not None
    [found] = await calls_around(conn, [span])
    assert (found.waiting, found.late) == (Calls(), Calls(1, 1))


async def test_a_command_that_names_no_version_has_no_calls(conn: Connection) -> None:
    await deploy_all(conn, "one")
    given = command(from_version_id=99, to_version_id=98)
    await roll_back(conn, given)
    assert await call_spans(conn, [given.key]) == {}
    assert await calls_around(conn, []) == []
