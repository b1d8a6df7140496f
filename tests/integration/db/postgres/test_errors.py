"""What the errors of Postgres become."""

import asyncio
from pathlib import Path

import pytest

from db.executions.recording import next_offset
from db.postgres.locks import tool_transaction
from db.postgres.pool import acquire, connect, open_pool
from db.versions.reading import current_version
from schemas.errors import Misconfigured, Retryable
from tests.support.inputs.stored import (
    TOPIC,
    command,
    deploy,
    deployment,
    roll_back,
    until_one_waits,
)
from tests.support.servers.postgres import PostgresServer


class TestErrors:
    async def test_no_server(self, tmp_path: Path) -> None:
        dsn = f"postgresql://u:hush@/x?host={tmp_path}"
        for opening in (open_pool(dsn), connect(dsn)):
            with pytest.raises(Retryable) as caught:
                await opening
            assert "hush" not in str(caught.value)
            assert caught.value.part == "Postgres"

    @pytest.mark.parametrize("dsn", ["mysql://u:hush@h/x", "postgresql://u:hu/sh@h:hush/x", "hush"])
    async def test_no_address(self, dsn: str) -> None:
        with pytest.raises(Misconfigured, match="ROLLGUARD_POSTGRES_DSN") as caught:
            await open_pool(dsn)
        assert "hush" not in str(caught.value)
        assert caught.value.__suppress_context__

    async def test_no_such_database(self, postgres_server: PostgresServer) -> None:
        with pytest.raises(Misconfigured, match="does not exist"):
            await open_pool(postgres_server.dsn_of("nowhere"))

    async def test_none_free(self, database_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
        pool = await open_pool(database_dsn, size=1)
        async with acquire(pool):
            monkeypatch.setattr("db.postgres.pool.CONNECT_TIMEOUT_S", 0.05)
            with pytest.raises(Retryable):
                await acquire(pool).__aenter__()
        await pool.close()
        with pytest.raises(Retryable, match="closed"):
            await acquire(pool).__aenter__()

    async def test_not_migrated(self, postgres_server: PostgresServer) -> None:
        with postgres_server.database("template1") as dsn:
            conn = await connect(dsn)
            for call in (
                current_version(conn, "x"),
                deploy(conn, deployment()),
                roll_back(conn, command()),
                next_offset(conn, TOPIC, 0),
            ):
                with pytest.raises(Misconfigured, match="run `rollguard migrate`"):
                    await call
            await conn.close()

    async def test_a_closed_pool_and_a_lost_connection(self, database_dsn: str) -> None:
        conn = await connect(database_dsn)
        await conn.close()
        with pytest.raises(Retryable):
            await current_version(conn, "x")
        assert isinstance(await _outcome_of_termination(database_dsn), Retryable)


async def _outcome_of_termination(dsn: str) -> BaseException | None:
    """Return what a call raises if an administrator ends its connection while it waits."""
    waiting, holder, admin = [await connect(dsn) for _ in range(3)]
    pid = await waiting.fetchval("select pg_backend_pid()")
    async with tool_transaction(holder, "parser"):
        call = asyncio.create_task(deploy(waiting, deployment()))
        await until_one_waits(admin)
        await admin.execute("select pg_terminate_backend($1)", pid)
        (error,) = await asyncio.gather(call, return_exceptions=True)
    for each in (waiting, holder, admin):
        await each.close()
    return error if isinstance(error, BaseException) else None
