"""Executions are recorded once each and counted for their versions."""

import asyncio
import time

import asyncpg
import pytest

from db.executions.recording import LogEntry, next_offset, record
from db.postgres.pool import Connection, Pool
from schemas.errors import Retryable
from tests.support.inputs.stored import (
    NOW,
    TOPIC,
    activation,
    deploy_all,
    entry,
    execution,
    metrics,
    record_all,
    until_one_waits,
)


class TestRecord:
    async def test_rows_and_metrics(self, conn: Connection) -> None:
        first, second = await deploy_all(conn, "one", "two")
        failed = execution(
            version_id=second,
            success=False,
            error="pkg.TypeError: no\0",
            duration_ms=1.5,
            session_id="s",
            caller="c",
            input_hash="i",
            cost=0.25,
        )
        named = execution(version_id=second, success=False, error="x", error_type="a.KeyError")
        good = [execution(version_id=second) for _ in range(2)]
        assert await record_all(conn, failed, named, *good, execution(version_id=first)) == 5
        assert await metrics(conn, first) == (1, 1, 1.0)
        assert await metrics(conn, second) == (4, 2, 0.5)
        row = await conn.fetchrow(
            "select * from tool_executions where execution_id = $1", failed.execution_id
        )
        assert row is not None
        assert dict(row) == {
            "execution_id": failed.execution_id,
            "tool_name": "parser",
            "version_id": second,
            "success": False,
            "error": "pkg.TypeError: no\u2400",
            "error_type": "TypeError",
            "executed_at": NOW,
            "duration_ms": 1.5,
            "session_id": "s",
            "caller": "c",
            "input_hash": "i",
            "log_offset": 0,
            "cost": 0.25,
            "erased_at": None,
            "error_origin": "tool",
            "stated_origin": None,
        }
        error_types = await conn.fetch("select distinct error_type from tool_executions")
        assert {row["error_type"] for row in error_types} == {"TypeError", "a.KeyError", None}
        await record_all(conn, execution(version_id=second))
        assert await metrics(conn, second) == (5, 3, 0.6)

    async def test_each_execution_counts_once(self, conn: Connection) -> None:
        (first,) = await deploy_all(conn, "one")
        failed = execution(version_id=first, success=False)
        again = failed.model_copy(update={"success": True})
        assert await record_all(conn, failed, again, execution(version_id=first)) == 2
        assert await metrics(conn, first) == (2, 1, 0.5)
        assert await record_all(conn, again, again) == 0
        assert await metrics(conn, first) == (2, 1, 0.5)
        assert await conn.fetchval("select count(*) from tool_executions where not success") == 1

    async def test_what_was_read_is_skipped(self, conn: Connection) -> None:
        (first,) = await deploy_all(conn, "one")
        entries = [LogEntry(offset, entry(version_id=first)) for offset in range(10, 20, 2)]
        assert await next_offset(conn, TOPIC, 0) == 0
        assert await record(conn, TOPIC, 0, 10, 15, entries[:3]) == 3
        assert await next_offset(conn, TOPIC, 0) == 15
        assert await record(conn, TOPIC, 0, 10, 15, entries[:3]) == 0
        others = [LogEntry(offset, entry(version_id=first)) for offset in range(10, 20)]
        assert await record(conn, TOPIC, 0, 10, 20, others) == 5  # 15 … 19
        assert await next_offset(conn, TOPIC, 0) == 20
        assert await record(conn, TOPIC, 0, 5, 12, others[:2]) == 0
        assert await next_offset(conn, TOPIC, 0) == 20
        assert await record(conn, TOPIC, 0, 20, 25, []) == 0  # nothing but bad records
        assert await next_offset(conn, TOPIC, 0) == 25
        assert await next_offset(conn, TOPIC, 1) == await next_offset(conn, "other", 0) == 0
        assert (await metrics(conn, first))[0] == 8
        with pytest.raises(ValueError, match="not in"):
            await record(conn, TOPIC, 0, 25, 26, [LogEntry(26, others[0].entry)])

    async def test_a_concurrent_mover(self, pool: Pool, conn: Connection) -> None:
        """Of two with the same batch one records; the other is told to try again."""
        await record_all(conn, execution())
        entries = [LogEntry(1, entry()), LogEntry(2, entry())]

        async def one() -> int | Retryable:
            async with pool.acquire() as other:
                try:
                    return await record(other, TOPIC, 0, 1, 3, entries)
                except Retryable as error:
                    return error

        transaction = conn.transaction()
        await transaction.start()
        assert await record(conn, TOPIC, 0, 1, 3, entries) == 2
        waiting = asyncio.create_task(one())
        await until_one_waits(conn)
        await transaction.commit()
        result = await waiting
        assert isinstance(result, Retryable)
        assert "another recorder" in str(result)
        assert await one() == 0
        assert await conn.fetchval("select count(*) from tool_executions") == 3

    async def test_the_first_batch_of_a_partition_twice_at_once(self, pool: Pool) -> None:
        entries = [LogEntry(offset, entry()) for offset in range(50)]

        async def one(_: int) -> int:
            async with pool.acquire() as conn:
                try:
                    return await record(conn, TOPIC, 0, 0, 50, entries)
                except Retryable:
                    return 0

        assert sum(await asyncio.gather(*map(one, range(6)))) == 50

    async def test_attribution_by_place(self, conn: Connection) -> None:
        first, second = await deploy_all(conn, "one", "two")
        before, on_first, on_second, late, other = (execution() for _ in range(5))
        other = execution("other")
        explicit = execution(version_id=first)
        await record_all(
            conn,
            before,
            activation(first, 1),
            on_first,
            activation(second, 2),
            activation(first, 1),  # published again
            on_second,
            explicit,
            other,
        )
        await record_all(conn, late)
        await record_all(conn, activation(first, 1))
        later = execution()
        await record_all(conn, later, activation(first, 3))
        last = execution()
        await record_all(conn, last)
        rows = await conn.fetch("select execution_id, version_id from tool_executions")
        assert {row["execution_id"]: row["version_id"] for row in rows} == {
            before.execution_id: None,
            on_first.execution_id: first,
            on_second.execution_id: second,
            explicit.execution_id: first,
            other.execution_id: None,
            late.execution_id: second,
            later.execution_id: second,
            last.execution_id: first,
        }
        assert (await metrics(conn, first))[0] == 3
        assert (await metrics(conn, second))[0] == 3
        row = await conn.fetchrow("select * from recorder_current")
        assert row is not None
        assert tuple(row) == ("parser", first, 3)

    async def test_an_adopted_activation_takes_the_place_of_a_greater_one(
        self, conn: Connection
    ) -> None:
        (real,) = await deploy_all(conn, "one")
        await record_all(conn, activation(real + 99, 2**31 - 1), activation(real, 1))
        await record_all(conn, execution(version_id=None))
        assert (await metrics(conn, real))[0] == 0, "it went to the forged one"
        adopted = activation(real, 1).model_copy(update={"adopts": True})
        await record_all(conn, adopted, execution(version_id=None))
        assert (await metrics(conn, real))[0] == 1
        await record_all(conn, execution(version_id=None))
        assert (await metrics(conn, real))[0] == 2, "the next batch knows it, too"

    async def test_unknown_and_alien_versions_are_recorded_only(self, conn: Connection) -> None:
        (first,) = await deploy_all(conn, "one")
        (alien,) = await deploy_all(conn, "one", tool="other")
        unknown = execution(version_id=2**31 - 1)
        assert await record_all(conn, unknown, execution(version_id=alien)) == 2
        for version_id in (first, alien):
            assert await metrics(conn, version_id) == (0, 0, None)

    async def test_a_failure_undoes_all(self, conn: Connection) -> None:
        """Nothing of a batch is kept, the offset least of all, and the connection goes on."""
        (first,) = await deploy_all(conn, "one")
        await conn.execute("alter table tool_executions add check (session_id <> 'bad')")
        bad = execution(version_id=first, session_id="bad")
        with pytest.raises(asyncpg.CheckViolationError):
            await record_all(conn, activation(first, 1), execution(version_id=first), bad)
        assert await next_offset(conn, TOPIC, 0) == 0
        assert await conn.fetchval("select count(*) from recorder_current") == 0
        assert await record_all(conn, execution(version_id=first)) == 1
        assert await metrics(conn, first) == (1, 1, 1.0)

    async def test_is_fast(self, conn: Connection) -> None:
        versions = [await deploy_all(conn, "one", tool=f"tool {i}") for i in range(50)]
        batches = [
            [
                execution(f"tool {i % 50}", version_id=versions[i % 50][0], error="E: x" * 10)
                for i in range(2_000)
            ]
            for _ in range(15)
        ]
        await record_all(conn, *batches[0])
        started = time.perf_counter()
        for batch in batches[1:]:
            assert await record_all(conn, *batch) == 2_000
        rate = 28_000 / (time.perf_counter() - started)
        print(f"{rate:,.0f} executions/s")
        assert rate > 2_000  # 20,000 and more on an idle machine
