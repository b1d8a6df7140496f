"""Schema migrations: each is applied once, and an unexpected one is an error."""

import asyncio

import asyncpg
import pytest

from db.postgres import migrate
from db.postgres.pool import Connection, connect
from schemas.errors import Misconfigured
from tests.support.servers.postgres import PostgresServer


class TestMigrations:
    async def test_two_at_once_migrate_once(self, postgres_server: PostgresServer) -> None:
        with postgres_server.database("template1") as dsn:
            conns = [await connect(dsn) for _ in range(3)]
            with pytest.raises(Misconfigured, match="run `rollguard migrate`"):
                await migrate.require_schema(conns[0])
            applied = await asyncio.gather(*map(migrate.migrate, conns))
            assert sorted(applied) == [[], [], list(migrate.migrations())]
            await migrate.require_schema(conns[0])
            for conn in conns:
                await conn.close()

    async def test_a_changed_one_is_said(self, conn: Connection) -> None:
        await conn.execute("update schema_migrations set checksum = 'x'")
        for check in (migrate.migrate, migrate.require_schema):
            with pytest.raises(Misconfigured, match="0001_initial is not the one"):
                await check(conn)

    async def test_a_newer_schema_is_said(self, conn: Connection) -> None:
        await conn.execute("insert into schema_migrations (name, checksum) values ('9999_x', '')")
        for check in (migrate.migrate, migrate.require_schema):
            with pytest.raises(Misconfigured, match="newer than this program"):
                await check(conn)

    async def test_a_failing_one_leaves_nothing(
        self, conn: Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bad = {**migrate.migrations(), "0099_bad": "create table half (); select 1 / 0"}
        monkeypatch.setattr(migrate, "migrations", lambda: bad)
        with pytest.raises(asyncpg.DivisionByZeroError):
            await migrate.migrate(conn)
        assert await conn.fetchval("select to_regclass('half')") is None
        with pytest.raises(Misconfigured, match="not migrated"):
            await migrate.require_schema(conn)
        bad["0099_bad"] = "create table half ()"
        assert await migrate.migrate(conn) == ["0099_bad"]
