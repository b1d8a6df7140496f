"""A tool that somebody has locked, or whose code is slow to compare, keeps no other waiting."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from asyncpg.transaction import Transaction

from agents.applier import comparisons
from agents.applier.waiting.free_tools import of_free_tools
from db.executions.pruning import only_removal
from db.postgres import locks
from db.postgres.locks import locked_tools
from db.postgres.migrate import migrate
from db.postgres.pool import Connection, Pool, open_pool
from schemas.deployment import Deployment
from tests.support.inputs.stored import command, deploy_all, deployment
from tests.support.servers.login_roles import create_login_roles
from tests.support.servers.pgbouncer import pgbouncer
from tests.support.systems.applier import TOPICS, Applier, all_applied, batch


@pytest.fixture
def applier(pool: Pool) -> Applier:
    return Applier(pool)


@asynccontextmanager
async def psql(dsn: str, *statements: str, name: str = "psql") -> AsyncIterator[Transaction]:
    """Run statements in a transaction that stays open, as an operator may forget it."""
    connection = await asyncpg.connect(dsn, server_settings={"application_name": name})
    try:
        transaction = connection.transaction()
        await transaction.start()
        for statement in statements:
            await connection.execute(statement)
        yield transaction
    finally:
        await connection.close()


def deployed(applier: Applier) -> list[tuple[str, int | None]]:
    return [(each.tool_name, each.version_number) for each in applier.broker.deployed()]


async def retry_until_named(applier: Applier, text: str) -> str:
    """Retry as a worker does until the wait is told, and return what is told."""
    async with asyncio.timeout(120):
        while True:
            await applier.deployments.retry()
            await applier.rollbacks.retry() if applier.rollbacks.is_any_aside else None
            for wait in applier.waits.now():
                if text in wait.cause:
                    return wait.cause
            await asyncio.sleep(0.02)


LOCKS = {
    "the row of a version": "select from tool_versions where tool_name = 'b' for update",
    "an update of a version": "update tool_versions set improvement_reason = 'x'"
    " where tool_name = 'b'",
    "the lock for publishing": "select from tool_locks"
    " where tool_name = 'b' and kind = 'publish' for update",
    "the lock for changes": "select from tool_locks"
    " where tool_name = 'b' and kind = 'change' for update",
}


@pytest.mark.parametrize("statement", LOCKS.values(), ids=LOCKS)
async def test_other_tools_go_on_and_the_blocker_is_named(
    applier: Applier, database_dsn: str, statement: str
) -> None:
    await applier.deploy(*(deployment("one", tool) for tool in "abc"))
    async with psql(database_dsn, statement) as transaction:
        later = [deployment(code, tool) for code in ("two", "three") for tool in "abc"]
        asked = batch(TOPICS.deployments, *later)
        aside: list[int] = []
        asked.set_aside = lambda _, offset: aside.append(offset)
        asked.resume = lambda _, offset: aside.remove(offset)
        await asyncio.wait_for(applier.deployments.handle(asked), 120)
        assert deployed(applier)[3:] == [("a", 2), ("c", 2), ("a", 3), ("c", 3)]
        assert aside == [1, 4]
        told = await retry_until_named(applier, "psql")
        assert "'b' for" in told
        assert "(2 records): locked by 'psql' (process " in told
        assert (applier.set_aside("deployment"), applier.set_aside("rollback")) == (1, 0)
        await asyncio.wait_for(applier.deployments.handle(batch(TOPICS.deployments, *more())), 120)
        assert deployed(applier)[7:] == [("d", 1)]
        await transaction.rollback()
        await asyncio.wait_for(all_applied(applier.deployments), 120)
    assert deployed(applier)[8:] == [("b", 2), ("b", 3), ("b", 4)]
    assert aside == []
    assert applier.broker.activations("b") == [1, 2, 3, 4]
    assert applier.waits.now() == ()
    assert applier.set_aside("deployment") == 0


def more() -> list[Deployment]:
    return [deployment("four", "b"), deployment("one", "d")]


async def test_rollbacks_of_other_tools_go_on(applier: Applier, database_dsn: str) -> None:
    await applier.deploy(*(deployment(code, tool) for code in "xyz" for tool in "abc"))
    statement = "select from tool_versions where tool_name = 'b' and is_current for update"
    async with psql(database_dsn, statement) as transaction:
        asked = batch(TOPICS.commands, *(command(tool) for tool in "abcb"))
        await asyncio.wait_for(applier.rollbacks.handle(asked), 120)
        assert [each.tool_name for each in applier.broker.rolled_back()] == ["a", "c"]
        await transaction.rollback()
        await asyncio.wait_for(all_applied(applier.rollbacks), 120)
    outcomes = [(each.tool_name, each.to_version_number) for each in applier.broker.rolled_back()]
    assert outcomes[2:] == [("b", 2), ("b", 1)]


async def test_many_locked_tools_do_not_hold_up_the_others_one_after_the_other(
    applier: Applier, database_dsn: str
) -> None:
    tools = [f"tool {number}" for number in range(40)]
    await applier.deploy(*(deployment("one", tool) for tool in tools))
    statement = "select from tool_versions where tool_name <> 'tool 39' for update"
    async with psql(database_dsn, statement) as transaction:
        asked = batch(TOPICS.deployments, *(deployment("two", tool) for tool in tools))
        await asyncio.wait_for(applier.deployments.handle(asked), 120)
        assert deployed(applier)[40:] == [("tool 39", 2)]
        await transaction.rollback()
        await asyncio.wait_for(all_applied(applier.deployments), 120)
    assert sorted(deployed(applier)[41:]) == sorted((tool, 2) for tool in tools[:-1])


async def test_a_reader_cannot_hold_up_anybody(
    pool: Pool, conn: Connection, database_dsn: str
) -> None:
    """It takes every lock that it may take, and keeps an old snapshot open."""
    dsns = await create_login_roles(database_dsn)
    for tool in "ab":
        await deploy_all(conn, "one", tool=tool)
    reading = [
        "set transaction isolation level repeatable read",
        *(
            f"select pg_advisory_xact_lock(hashtextextended('{t}', {n}))"
            for t in "ab"
            for n in (7655, 7656)
        ),
        "select pg_advisory_xact_lock(7655, 1), pg_advisory_xact_lock(7655, 2)",
        "lock table tool_versions, tool_locks, rollbacks, deployments in access share mode",
        "select * from tool_versions, tool_locks",
    ]
    async with psql(dsns["reader"], *reading):
        own = await open_pool(dsns["applier"])
        applier = Applier(own)
        async with asyncio.timeout(120):
            await applier.deployments.handle(
                batch(
                    TOPICS.deployments, *(deployment(code, tool) for code in "xy" for tool in "abc")
                )
            )
            await applier.rollbacks.handle(batch(TOPICS.commands, command("a")))
        assert await migrate(conn) == []
        async with only_removal(conn):
            pass
        assert not applier.deployments.is_any_aside
        assert len(applier.broker.deployed()) == 6
        assert applier.broker.rolled_back()[0].status == "applied"
        await own.close()
    for statement in (
        "select from tool_locks for update",
        "select from tool_locks for key share",
        "select from tool_versions for share",
        "lock table tool_locks in row exclusive mode",
        "lock table tool_versions in share mode",
        "lock table schema_migrations in share row exclusive mode",
        "lock table replayed_records in share update exclusive mode",
        "insert into tool_locks values ('a', 'publish')",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with psql(dsns["reader"], statement):
                pass


async def test_behind_pgbouncer_too(database_dsn: str) -> None:
    """In the mode in which each transaction may get another session of Postgres."""
    with pgbouncer(database_dsn, "transaction", "server_round_robin = 1") as dsn:
        pool = await open_pool(dsn)
        applier = Applier(pool)
        await applier.deploy(*(deployment("one", tool) for tool in "ab"))
        async with psql(database_dsn, LOCKS["the row of a version"]) as transaction:
            asked = batch(TOPICS.deployments, *(deployment("two", tool) for tool in "ab"))
            await asyncio.wait_for(applier.deployments.handle(asked), 120)
            assert deployed(applier)[2:] == [("a", 2)]
            assert "locked by 'psql' (process " in await retry_until_named(applier, "psql")
            await transaction.rollback()
            await asyncio.wait_for(all_applied(applier.deployments), 120)
        assert deployed(applier)[3:] == [("b", 2)]
        await pool.close()


async def test_a_slow_comparison_keeps_only_its_tool_waiting(
    applier: Applier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparisons, "PATIENCE_S", 0.05)
    await applier.deploy(*(deployment("one", tool) for tool in "abc"))
    codes = ["two", "three", "four"]
    may_end = asyncio.Event()
    applier.comparer.slow = {f"b {code}": may_end.is_set for code in codes}
    requests = [deployment(f"{tool} {code}", tool) for code in codes for tool in "abc"]
    handled = applier.deployments.handle(batch(TOPICS.deployments, *requests))
    await asyncio.wait_for(handled, 120)
    assert [tool for tool, _ in deployed(applier)[3:]] == ["a", "c"] * 3
    may_end.set()
    await all_applied(applier.deployments)
    assert deployed(applier)[9:] == [("b", 2), ("b", 3), ("b", 4)]


async def test_work_on_all_tools_leaves_out_the_locked_ones(
    pool: Pool, conn: Connection, database_dsn: str
) -> None:
    """So one locked tool keeps no hold of another tool from expiring."""
    done = []

    async def work(tool: str) -> int:
        async with locked_tools(pool, tool):
            done.append(tool)
        return 1

    async with locked_tools(pool, *"abc"):
        pass
    async with psql(database_dsn, LOCKS["the lock for publishing"]):
        assert await of_free_tools("test", list("abc"), work) == 2
    assert done == ["a", "c"]
    assert locks.TOOL_TIMEOUT_MS <= 1_000
