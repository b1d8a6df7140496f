"""Postgres goes away and comes back: workers wait, keep the order, and lose nothing."""

import asyncio
from collections import Counter
from pathlib import Path
from random import Random

import asyncpg
import pytest
import uvloop

from db.executions.recording import LogEntry, record
from db.postgres.migrate import open_migrated_pool
from db.postgres.pool import acquire
from schemas.errors import Retryable
from schemas.execution_entry import ExecutionEntry
from tests.support.inputs.messages import execution
from tests.support.servers.proxy import proxy_to_postgres
from tests.support.systems.system import System
from tests.support.waiting import until


@pytest.mark.timeout(360)
async def test_the_applier_waits_for_postgres(
    kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with (
        proxy_to_postgres(database_dsn) as (proxy, dsn),
        System.started(kafka, dsn, topic_prefix, tmp_path, ("applier",)) as system,
    ):
        assert (await system.deploy("parser", "a")).version_number == 1
        proxy.shut()
        waiting = asyncio.create_task(system.deploy("parser", "b"))

        async def waits() -> bool:
            return '"waiting"' in system.log("applier")

        await until(waits)
        await proxy.open()
        assert (await asyncio.wait_for(waiting, 160)).version_number == 2
        assert (await system.deploy("parser", "c")).version_number == 3
        assert await system.stop_all() == [0]


_TERMINATE = """
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()
"""


@pytest.mark.parametrize("ends", ["the server", "the network"])
def test_a_connection_that_ends_at_any_moment_is_retryable(ends: str, database_dsn: str) -> None:
    """A recorder must not end because its connection ended in a transaction."""
    uvloop.run(_record_while_connections_end(ends, database_dsn))  # the event loop of workers


async def _record_while_connections_end(ends: str, database_dsn: str) -> None:
    random = Random(1)
    entries = [LogEntry(offset, ExecutionEntry.of(execution("parser"))) for offset in range(1_000)]
    outcomes: Counter[str] = Counter()
    longest_s = 0.04  # it follows the machine's speed, so that both happen
    admin = await asyncpg.connect(database_dsn)
    async with proxy_to_postgres(database_dsn) as (proxy, dsn):
        pool = await open_migrated_pool(dsn)

        async def end_connections() -> None:
            await asyncio.sleep(random.uniform(0.0, longest_s))
            if ends == "the server":
                await admin.execute(_TERMINATE)
            else:
                proxy.cut()

        for number in range(60):
            ending = asyncio.create_task(end_connections())
            try:
                async with acquire(pool) as conn:
                    await record(conn, f"topic-{number}", 0, 0, 1_000, entries)
                outcomes["recorded"] += 1
                longest_s *= 0.8
            except Retryable:
                outcomes["ended"] += 1
                if ending.done():  # else the connection had ended before it was acquired
                    longest_s *= 1.25
            await ending
        await pool.close()
    await admin.close()
    assert min(outcomes["recorded"], outcomes["ended"]) > 3, outcomes
