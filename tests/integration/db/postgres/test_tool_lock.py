"""The lock of a tool: it keeps others out, and it ends with its block or with its connection."""

import asyncio

import pytest

from db.postgres import locks
from db.postgres.locks import idle_transaction, tool_lock, tool_transaction
from db.postgres.pool import Connection, Pool, acquire
from schemas.errors import Locked, Retryable
from tests.support.inputs.stored import deploy, deployment, held_locks


async def _hold(conn: Connection) -> None:
    async with tool_lock(conn, "parser", wait_ms=60_000):
        await asyncio.sleep(60)


async def _hold_from_pool(pool: Pool) -> None:
    async with pool.acquire() as conn:
        await _hold(conn)


async def test_holds_others_off(pool: Pool, conn: Connection) -> None:
    async with tool_lock(conn, "parser"), pool.acquire() as other, pool.acquire() as mine:
        with pytest.raises(Locked) as error:
            async with tool_lock(other, "another tool", "parser"):
                pass
        assert error.value.tools == {"parser"}
        with pytest.raises(Locked, match="lock timeout"):
            async with tool_lock(other, "parser", wait_ms=50):
                pass
        async with tool_lock(other, "another tool"):
            pass
        await deploy(mine, deployment("one"))
        assert await other.fetchval("show lock_timeout") == "0"
    async with tool_lock(conn, "parser"):
        pass


async def test_one_transaction_changes_a_tool(
    pool: Pool, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "TOOL_TIMEOUT_MS", 50)
    async with pool.acquire() as other:
        async with tool_transaction(conn, "parser"):
            with pytest.raises(Locked, match="lock timeout"):
                await deploy(other, deployment("two"))
            await deploy(other, deployment("one", "another tool"))
        await deploy(other, deployment("two"))


async def test_is_given_back(pool: Pool, conn: Connection) -> None:
    async def fail() -> None:
        async with tool_lock(conn, "parser"):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    task = asyncio.create_task(_hold_from_pool(pool))
    async with asyncio.timeout(120):
        while await held_locks(conn) == 0:
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await held_locks(conn) == 0


async def test_cancelled_while_waiting(pool: Pool, conn: Connection) -> None:
    async with pool.acquire() as other, tool_lock(conn, "parser"):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(_hold(other), 0.1)
        assert not other.is_closed()
    assert await held_locks(conn) == 0


async def test_a_lost_connection_is_said_at_the_end(pool: Pool, conn: Connection) -> None:
    """Others may have published in between: what was done under the lock is done again."""

    async def lose(holder: Connection) -> None:
        async with tool_lock(holder, "parser"):
            process_id = await holder.fetchval("select pg_backend_pid()")
            await conn.execute("select pg_terminate_backend($1)", process_id)
            await deploy(conn, deployment("one"))

    async with acquire(pool) as holder:
        with pytest.raises(Retryable):
            await lose(holder)
    assert await held_locks(conn) == 0


async def test_a_process_that_stands_still_loses_its_lock(
    pool: Pool, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a worker that was stopped would keep a tool for as long as it is stopped."""
    monkeypatch.setattr(locks, "IDLE_LIMIT_MS", 300)

    async def stand_still(holder: Connection) -> None:
        async with tool_lock(holder, "parser"):
            assert await held_locks(conn) == 1
            async with asyncio.timeout(120):
                while await held_locks(conn):
                    await asyncio.sleep(0.02)
            async with tool_lock(conn, "parser"):
                pass

    async with acquire(pool) as holder:
        with pytest.raises(Retryable):
            await stand_still(holder)


async def test_an_idle_transaction_outlives_the_limit(pool: Pool) -> None:
    async with pool.acquire() as holder:
        await holder.execute("set idle_in_transaction_session_timeout = 50")
        async with idle_transaction(holder):
            await asyncio.sleep(0.2)
            assert await holder.fetchval("select 1") == 1


async def test_locks_of_new_tools_are_taken_without_a_circle(pool: Pool) -> None:
    """Each takes locks of tools that have no rows yet, in another order."""

    async def take(*tools: str) -> None:
        async with (
            pool.acquire() as holder,
            tool_lock(holder, *tools, wait_ms=5_000),
            pool.acquire() as mine,
            tool_transaction(mine, *tools),
        ):
            await asyncio.sleep(0.001)

    for number in range(10):
        names = [f"{number} {name}" for name in "abc"]
        orders = [names, names[::-1], [*names[1:], names[0]]]
        await asyncio.wait_for(asyncio.gather(*(take(*order) for order in orders)), 120)
