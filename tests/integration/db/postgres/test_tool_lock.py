"""The lock of a tool: it keeps others out and is always given back."""

import asyncio

import pytest

from db.postgres import locks
from db.postgres.locks import tool_lock
from db.postgres.pool import Connection, Pool, acquire
from db.versions.reading import current_version
from schemas.errors import Retryable
from tests.support.stored import (
    deploy,
    deployment,
)


class TestToolLock:
    async def test_holds_others_off(
        self, pool: Pool, conn: Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(locks, "LOCK_TIMEOUT_MS", 50)
        async with tool_lock(conn, "parser"), pool.acquire() as other:
            await deploy(conn, deployment("one"))  # the holder itself may
            with pytest.raises(Retryable, match="lock timeout"):
                await deploy(other, deployment("two"))
            with pytest.raises(Retryable, match="lock timeout"):
                async with tool_lock(other, "parser"):
                    pass
            await deploy(other, deployment("one", "another tool"))
            assert await other.fetchval("show lock_timeout") == "0"
        async with tool_lock(conn, "parser"), pool.acquire() as other:
            assert await current_version(other, "parser")

    async def test_is_given_back(self, pool: Pool, conn: Connection) -> None:
        async def fail(how: BaseException) -> None:
            async with tool_lock(conn, "parser"):
                raise how

        with pytest.raises(ZeroDivisionError):
            await fail(ZeroDivisionError())
        task = asyncio.create_task(self._hold(pool))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with pool.acquire() as other:
            await asyncio.wait_for(deploy(other, deployment("one")), 5)
        held = await conn.fetchval("select count(*) from pg_locks where locktype = 'advisory'")
        assert held == 0

    async def _hold(self, pool: Pool) -> None:
        async with pool.acquire() as conn, tool_lock(conn, "parser"):
            await asyncio.sleep(60)

    async def test_cancelled_while_waiting(self, pool: Pool, conn: Connection) -> None:
        async with pool.acquire() as other:
            async with tool_lock(conn, "parser"):
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(self._hold_with(other), 0.1)
            assert not other.is_closed()
        await deploy(conn, deployment("one"))
        held = await conn.fetchval("select count(*) from pg_locks where locktype = 'advisory'")
        assert held == 0

    async def _hold_with(self, conn: Connection) -> None:
        async with tool_lock(conn, "parser"):
            raise AssertionError("must not get it")

    async def test_a_lost_connection_is_the_bodys_error(self, pool: Pool, conn: Connection) -> None:
        async def lose(other: Connection) -> None:
            async with tool_lock(other, "parser"):
                pid = await other.fetchval("select pg_backend_pid()")
                await conn.execute("select pg_terminate_backend($1)", pid)
                await deploy(other, deployment("one"))

        async with acquire(pool) as other:
            with pytest.raises(Retryable):
                await lose(other)
            with pytest.raises(Retryable):
                await current_version(other, "parser")
        async with acquire(pool) as other:
            assert await current_version(other, "parser") is None
        await deploy(conn, deployment("one"))
