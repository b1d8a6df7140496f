"""All roles and the command line through PgBouncer, which lends its connections.

It takes another connection to Postgres for each transaction (`server_round_robin`), so that
whatever rests on the session fails at once.
"""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from db.postgres.locks import tool_lock
from db.postgres.pool import Connection, Pool, Pooling, acquire, open_pool
from db.versions.reading import current_version
from rollguard import ToolVersionManager
from rollguard.operations.prune import Pruned, prune
from rollguard.operations.republish import republish_versions
from rollguard.operations.setup import migrate_database
from schemas.errors import Misconfigured
from schemas.settings import load_settings
from tests.support.inputs.messages import execution
from tests.support.servers.pgbouncer import Mode, pgbouncer
from tests.support.servers.postgres import PostgresServer
from tests.support.systems.command_line import rollguard
from tests.support.systems.system import System
from tests.support.waiting import until

ROLES = ("detector", "applier", "recorder")
ONE = "def execute(text):\n    return text\n"
TWO = "def execute(text, limit):\n    return text[:limit]\n"


@pytest.fixture
def empty_dsn(postgres_server: PostgresServer) -> Iterator[str]:
    """Yield the DSN of a database without a schema."""
    with postgres_server.database("template1") as dsn:
        yield dsn


@pytest.mark.timeout(540)
@pytest.mark.parametrize(
    ("mode", "pooling"),
    [("session", "auto"), ("transaction", "auto"), ("transaction", "transaction")],
)
async def test_everything_works_through_pgbouncer(
    mode: Mode,
    pooling: Pooling,
    embedded_broker: str,
    empty_dsn: str,
    topic_prefix: str,
    tmp_path: Path,
) -> None:
    more: dict[str, str] = {"ROLLGUARD_POSTGRES_POOLING": pooling}
    with pgbouncer(empty_dsn, mode, "server_round_robin = 1") as dsn:
        system = await System.prepared(embedded_broker, dsn, topic_prefix, tmp_path)
        async with system.connected(), system.run_roles(ROLES, **more):
            await _roll_back_automatically(system)
            await _manage_versions(system)
            await _use_the_command_line(system, more)
            await system.all_ready()
            assert await system.stop_all() == [0, 0, 0]
        assert "Traceback" not in "".join(map(system.log, ROLES))
        await _nothing_is_left(dsn)


async def _roll_back_automatically(system: System) -> None:
    await system.deploy("parser", ONE)
    bad = await system.deploy("parser", TWO, created_by="autonomous")
    assert bad.is_breaking_change
    runs = [execution("parser", "ValueError: no", version_id=bad.version_id) for _ in range(3)]
    await system.run(*runs)
    await system.executions_recorded("parser", 3)

    async def rolled_back() -> bool:
        rows = await system.query("SELECT version_number FROM tool_versions WHERE is_current")
        return [row[0] for row in rows] == [1]

    await until(rolled_back)
    [row] = await system.query("SELECT status, reason FROM rollbacks")
    assert tuple(row) == ("applied", "consecutive_failures")


async def _manage_versions(system: System) -> None:
    async with ToolVersionManager(settings=system.settings) as manager:
        first = await manager.create_version("words", ONE)
        second = await manager.create_version("words", TWO)
        assert len(await manager.get_version_history("words")) == 2
        assert (await manager.compare_versions("words", first, second))["breaking_changes"]
        assert (await manager.rollback_to_version("words", first, reason="slow"))["success"]
        assert (await manager.update_version_metrics("words"))["changed"] is False
        current = await manager.get_current_version("words")
        assert current is not None
        assert current["version_id"] == first
    assert await republish_versions(system.settings) == 2


async def _use_the_command_line(system: System, more: dict[str, str]) -> None:
    env = system.environment(**more)

    async def answer(*words: str) -> str:
        result = await rollguard(*words, env=env)
        assert (result.code, result.err) == (0, ""), (words, result)
        return result.out

    assert len(json.loads(await answer("history", "parser", "--json"))) == 2
    command_id = json.loads(await answer("rollbacks", "--tool", "parser", "--json"))[0][
        "command_id"
    ]
    assert json.loads(await answer("explain", command_id, "--json"))["command_id"] == command_id
    await answer("pin", "parser", "--reason", "let it be")
    await answer("unpin", "parser")
    await answer("holds", "--json")
    assert json.loads(await answer("backtest", "--json"))
    assert json.loads(await answer("health", "parser", "--json"))
    await prune(system.settings, Pruned(datetime.now(UTC)))
    assert await system.query("SELECT FROM tool_executions") == []


async def _nothing_is_left(dsn: str) -> None:
    """Require that no session of Postgres keeps anything of ours."""
    connection = await asyncpg.connect(dsn, statement_cache_size=0)
    for _ in range(40):
        kept = await connection.fetchrow(
            "select current_setting('jit') as jit, current_setting('lock_timeout') as lock_timeout,"
            " (select count(*) from pg_prepared_statements) as statements,"
            " (select count(*) from pg_locks join pg_stat_activity using (pid)"
            " where locktype <> 'virtualxid' and pid <> pg_backend_pid()"
            " and backend_type = 'client backend') as locks"  # autovacuum may be at work
        )
        assert kept is not None
        assert dict(kept) == {"jit": "on", "lock_timeout": "0", "statements": 0, "locks": 0}
    await connection.close()


async def test_a_lock_holds_through_pgbouncer(database_dsn: str) -> None:
    """In the mode in which a lock of a session would be anybody's."""
    order = []
    with pgbouncer(database_dsn, "transaction", "server_round_robin = 1") as dsn:
        pool = await open_pool(dsn)
        async with acquire(pool) as one, acquire(pool) as two:
            async with tool_lock(one, "parser"):
                order.append("one")
                assert await _is_locked_elsewhere(two, "parser")
            async with tool_lock(two, "parser"):
                order.append("two")
        await pool.close()
    assert order == ["one", "two"]


async def _is_locked_elsewhere(connection: Connection, tool: str) -> bool:
    sql = "select from tool_locks where tool_name = $1 and kind = 'publish' for update skip locked"
    return not await connection.fetch(sql, tool)


async def test_pooling_for_transactions_that_is_not_set_is_said(database_dsn: str) -> None:
    with pgbouncer(database_dsn, "transaction", "server_round_robin = 1") as dsn:
        pool = await open_pool(dsn, pooling="session")
        with pytest.raises(Misconfigured, match="set ROLLGUARD_POSTGRES_POOLING=transaction"):
            await _query_often(pool)
        pool.terminate()
        pool = await open_pool(dsn, pooling="auto")
        await _query_often(pool)
        await pool.close()


async def _query_often(pool: Pool) -> None:
    """Query on two connections, after PgBouncer has opened two of its own."""
    async with acquire(pool) as one, acquire(pool) as two:
        await asyncio.gather(*(each.execute("select pg_sleep(0.1)") for each in (one, two)))
        for _ in range(20):
            await current_version(one, "parser")
            await current_version(one, "parser")
            await current_version(two, "parser")


@pytest.mark.parametrize("mode", ["session", "transaction"])
async def test_what_pgbouncer_refuses_is_said(mode: Mode, database_dsn: str) -> None:
    with pgbouncer(database_dsn, mode) as dsn:
        wrong = {
            f"{dsn}?options=-csearch_path%3Dx": "unsupported startup parameter: options "
            r"\(a pooler does not take it: leave it out of the DSN\)",
            f"{dsn}x": "does not exist",
            dsn.replace("//", "//nobody_").replace("postgres@", "@"): "authentication failed",
        }
        for each, reason in wrong.items():
            with pytest.raises(Misconfigured, match=reason):
                await migrate_database(load_settings(postgres_dsn=each))


async def test_without_a_pooler_statements_are_kept(database_dsn: str) -> None:
    count = "select count(*) from pg_prepared_statements"
    pool = await open_pool(database_dsn)
    async with acquire(pool) as conn:
        await conn.fetchval(count)
        assert await conn.fetchval(count) > 0
    await pool.close()
