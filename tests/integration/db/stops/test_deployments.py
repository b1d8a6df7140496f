"""Freezes, rejections and waits: which deployments they stop, and what ends them."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from db.postgres.locks import tool_transaction
from db.postgres.pool import Connection, connect
from db.rollbacks.trust import WayBackFrom, ways_back
from db.stops.changing import NewStop, begin
from db.stops.reading import stopped_tools, stops_of
from db.versions.deploying import Compared, Obstacle, deploy_each
from db.versions.listing import listed_tools
from db.versions.reading import history
from schemas.deployment import DeploymentOutcome, RolledBack, code_hash_of
from schemas.errors import Locked
from schemas.rules.rules import Rules
from schemas.stops import Stop
from tests.support.inputs.stored import (
    NOW,
    automatic,
    begin_stop,
    command,
    deploy,
    deploy_all,
    deployment,
    end_stop,
    roll_back,
    trusted,
)

WAITING: Final = Rules(wait_after_manual_rollback=True)


async def by_machine(conn: Connection, code: str, tool: str = "parser") -> DeploymentOutcome:
    return await deploy(conn, deployment(code, tool, created_by="autonomous"))


async def reject(conn: Connection, code: str, version_id: int, by: str = "ann") -> Stop | None:
    new = NewStop(
        *("rejection", "parser", "it is wrong", by),
        version_id=version_id,
        code_hash=code_hash_of(code),
    )
    return await begin(conn, new)


async def endings(conn: Connection) -> list[tuple[str, str | None, str | None]]:
    """Return kind, ending and who ended it of all stops, the newest first."""
    found = await stops_of(conn, None, ended=True)
    return [(each.kind, each.ended_how, each.ended_by) for each in found]


async def test_a_frozen_tool(conn: Connection) -> None:
    await deploy_all(conn, "one")
    frozen = await begin_stop(conn, "freeze")
    refused = await by_machine(conn, "two")
    assert (refused.status, refused.refusal, refused.version_id) == ("refused", "frozen", None)
    assert refused.stopped == frozen
    assert (await by_machine(conn, "one")).refusal == "frozen", "the current code, too"
    assert (await by_machine(conn, "two", "other")).status == "created"
    assert (await deploy(conn, deployment("three"))).status == "created"
    assert (await automatic(conn)).status == "applied", "a freeze stops deployments alone"
    assert await end_stop(conn, "freeze") is not None
    assert (await by_machine(conn, "two")).status == "created"


async def test_a_refused_deployment_stays_refused(conn: Connection) -> None:
    """Its id has an outcome; the author sends a new one."""
    await deploy_all(conn, "one")
    await begin_stop(conn, "freeze")
    request = deployment("two", created_by="autonomous")
    refused = await deploy(conn, request)
    await end_stop(conn, "freeze")
    assert await deploy(conn, request) == refused
    assert (await by_machine(conn, "two")).status == "created"


async def test_all_tools_are_frozen_and_those_that_come_later(conn: Connection) -> None:
    await deploy_all(conn, "one")
    await begin_stop(conn, "freeze", None)
    for tool in ("parser", "later"):
        assert (await by_machine(conn, "two", tool)).refusal == "frozen"
    assert (await stopped_tools(conn)).frozen == 1
    await begin_stop(conn, "freeze", until=datetime.now(UTC) + timedelta(hours=1))
    assert (await by_machine(conn, "two")).stopped == (await stops_of(conn, "other"))[0]
    await end_stop(conn, "freeze", None)
    assert (await by_machine(conn, "two", "later")).status == "created"
    assert (await by_machine(conn, "two")).refusal == "frozen", "by its own freeze"


async def test_a_freeze_that_has_expired(conn: Connection) -> None:
    await deploy_all(conn, "one")
    await begin_stop(conn, "freeze", until=datetime.now(UTC) - timedelta(seconds=1))
    assert (await by_machine(conn, "two")).status == "created"


async def test_a_group_of_which_some_are_stopped(conn: Connection) -> None:
    for tool in ("a", "b", "c"):
        await deploy_all(conn, "one", tool=tool)
    await begin_stop(conn, "freeze", "b")
    lost = RolledBack(
        command_id=(await automatic(conn, "c")).command_id,
        tier="fast",
        reason="complete_failure",
        rule="rule",
        from_version_id=1,
        rolled_back_at=NOW,
        executions=[],
        errors=[],
    )
    group = [Compared(deployment("two", tool, created_by="autonomous")) for tool in "abc"]
    obstacle = Obstacle("refused", "identical_to_rolled_back", lost)
    outcomes = await deploy_each(conn, group, {"b": obstacle, "c": obstacle})
    assert [each.refusal for each in outcomes] == [None, "frozen", "identical_to_rolled_back"]
    assert [each.rolled_back for each in outcomes] == [None, None, lost]


async def test_rejected_code_is_no_target_and_is_not_deployed(conn: Connection) -> None:
    first, second, third = await deploy_all(conn, "one", "two", "three")
    rejection = await reject(conn, "two", second)
    refused = await by_machine(conn, "two")
    assert refused.refusal == "rejected"
    assert refused.stopped == rejection
    assert await trusted(conn) == [True, False, True]
    assert (await ways_back(conn, [WayBackFrom("parser", third)]))["parser"][0].target[0] == first
    assert (await automatic(conn, to_version_id=second)).rejection == "no_previous_version"
    assert (await automatic(conn)).to_version_id == first
    assert (await by_machine(conn, "four")).status == "created"
    assert [each.rejected for each in await listed_tools(conn)] == [False]


async def test_a_rejected_version_that_is_current_stays_so(conn: Connection) -> None:
    _, second = await deploy_all(conn, "one", "two")
    await reject(conn, "two", second)
    [tool] = await listed_tools(conn)
    assert (tool.version_id, tool.rejected) == (second, True)
    assert (await by_machine(conn, "two")).refusal == "rejected", "not even once more"


@pytest.mark.parametrize("how", ["deployment", "rollback"])
async def test_a_person_gives_trust_again(conn: Connection, how: str) -> None:
    first, second, _ = await deploy_all(conn, "one", "two", "three")
    await reject(conn, "two", second)
    await reject(conn, "one", first)
    if how == "deployment":
        await deploy(conn, deployment("two"))
    else:
        assert (await roll_back(conn, command(to_version_id=second))).status == "applied"
    by = "human" if how == "deployment" else "someone"
    assert await endings(conn) == [("rejection", None, None), ("rejection", how, by)]
    assert (await by_machine(conn, "two")).status == "unchanged"
    assert (await by_machine(conn, "one")).refusal == "rejected"


async def test_trust_is_lost_for_both_reasons_until_a_person_gives_it(conn: Connection) -> None:
    _, second = await deploy_all(conn, "one", "two")
    await automatic(conn)
    await reject(conn, "two", second)
    assert await trusted(conn) == [True, False]
    await deploy(conn, deployment("two"))
    assert await trusted(conn) == [True, True, True]


async def test_a_held_rollback_to_a_version_that_is_rejected_meanwhile(conn: Connection) -> None:
    first, _ = await deploy_all(conn, "one", "two")
    held = command(tier="fast", reason="complete_failure", mode="hold")
    assert (await roll_back(conn, held)).to_version_id == first
    await reject(conn, "one", first)
    approved = await roll_back(conn, held.model_copy(update={"approved_by": "ben"}))
    assert (approved.status, approved.rejection) == ("rejected", "no_previous_version")


async def test_machines_wait_after_a_persons_rollback(conn: Connection) -> None:
    await deploy_all(conn, "one", "two")
    order = command(details={"reason": "it is slow"})
    done = await roll_back(conn, order, WAITING)
    refused = await by_machine(conn, "three")
    assert (refused.refusal, done.status) == ("waits_for_resume", "applied")
    assert refused.stopped is not None
    assert (refused.stopped.set_by, refused.stopped.reason) == ("someone", "it is slow")
    assert refused.stopped.command_id == order.command_id
    assert (await stopped_tools(conn)).waiting == 1
    assert [each.waits_for_resume for each in await listed_tools(conn)] == [True]
    assert (await by_machine(conn, "three", "other")).status == "created"
    await roll_back(conn, order, WAITING)
    assert await endings(conn) == [("wait", None, None)], "a repeated command begins no other one"
    assert await end_stop(conn, "wait") is not None
    assert (await by_machine(conn, "three")).status == "created"
    await roll_back(conn, order, WAITING)
    assert await endings(conn) == [("wait", "removed", "ben")], "nor after it has ended"


async def test_when_nobody_waits(conn: Connection) -> None:
    await deploy_all(conn, "one", "two", "three", "four")
    await automatic(conn)
    await roll_back(conn, command(tier="fast", reason="complete_failure"), WAITING)
    assert (await roll_back(conn, command(to_version_id=99), WAITING)).status == "rejected"
    await roll_back(conn, command(), Rules(policy="guarded", wait_after_manual_rollback=False))
    assert await endings(conn) == []
    assert (await by_machine(conn, "five")).status == "created"
    await roll_back(conn, command(), Rules(policy="guarded"))
    assert await endings(conn) == [("wait", None, None)]


@pytest.mark.parametrize("code", ["one", "three"])
async def test_a_persons_deployment_ends_the_wait(conn: Connection, code: str) -> None:
    """Also that of the current code."""
    await deploy_all(conn, "one", "two")
    await roll_back(conn, command(), WAITING)
    await deploy(conn, deployment(code))
    assert await endings(conn) == [("wait", "deployment", "human")]
    assert (await by_machine(conn, "four")).status == "created"


async def test_a_second_rollback_of_a_person(conn: Connection) -> None:
    await deploy_all(conn, "one", "two", "three")
    await roll_back(conn, command(), WAITING)
    await roll_back(conn, command(issued_by="cleo"), WAITING)
    assert await endings(conn) == [("wait", None, None), ("wait", "replaced", "cleo")]


async def test_the_history_says_what_was_in_force_when(conn: Connection) -> None:
    _, second = await deploy_all(conn, "one", "two")
    await begin_stop(conn, "freeze", reason="for the first and the others")
    await deploy(conn, deployment("three"))
    await end_stop(conn, "freeze")
    await reject(conn, "two", second)
    await deploy(conn, deployment("four"))
    await begin_stop(conn, "pin", None, reason="all")
    await begin_stop(conn, "pin", "parser", reason="expired", until=NOW)
    found = {
        each.code: [stop.kind for stop in each.stops] for each in await history(conn, "parser", 9)
    }
    assert found == {
        "one": [],
        "two": ["freeze", "rejection"],
        "three": ["freeze"],
        "four": ["pin"],
    }


async def test_a_freeze_comes_before_a_deployment_or_after_it(
    conn: Connection, database_dsn: str
) -> None:
    """Let both want the tool at the same time, again and again."""
    await deploy_all(conn, "one")
    other = await connect(database_dsn)
    try:
        for number in range(20):
            _, outcome = await asyncio.gather(
                begin_stop(other, "freeze"), by_machine(conn, f"code {number}")
            )
            frozen = (await stops_of(conn, "parser"))[0]
            if outcome.status == "created":
                began_at = await conn.fetchval(
                    "select applied_at from deployments where deployment_id = $1",
                    outcome.deployment_id,
                )
                assert began_at < frozen.began_at
            else:
                assert outcome.stopped == frozen
            await end_stop(conn, "freeze")
    finally:
        await other.close()


async def test_a_freeze_waits_for_who_changes_the_tool(
    conn: Connection, database_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.stops.changing.LOCK_TIMEOUT_MS", 100)
    await deploy_all(conn, "one")
    other = await connect(database_dsn)
    try:
        async with tool_transaction(other, "parser"):
            with pytest.raises(Locked):
                await begin_stop(conn, "freeze")
            assert await begin_stop(conn, "freeze", None) is not None, "nobody can stop this one"
    finally:
        await other.close()
    assert await begin_stop(conn, "freeze") is not None
