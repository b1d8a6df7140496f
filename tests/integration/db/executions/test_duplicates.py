"""An execution that comes again counts once.

It may come again in the same batch, in a later one, or on another partition at the same time, and
the recorder may be interrupted anywhere.
"""

import asyncio
import re
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from db.executions.recording import LogEntry, next_offset, record
from db.postgres.pool import Connection, Pool, acquire
from db.postgres.sql import blocks
from schemas.errors import Retryable
from schemas.execution_entry import ExecutionEntry
from tests.support.inputs.stored import TOPIC, deploy_all, entry, metrics, until_one_waits


async def record_on(conn: Connection, partition: int, runs: Sequence[ExecutionEntry]) -> int:
    """Record them as what comes next on this partition."""
    start = await next_offset(conn, TOPIC, partition)
    entries = [LogEntry(*each) for each in enumerate(runs, start)]
    return await record(conn, TOPIC, partition, start, start + len(runs), entries)


async def record_patiently(pool: Pool, partition: int, runs: Sequence[ExecutionEntry]) -> int:
    """Record as the worker does: try again while another recorder is in the way."""
    while True:
        try:
            async with acquire(pool) as conn:
                return await record_on(conn, partition, runs)
        except Retryable:
            await asyncio.sleep(0.01)


async def stored(conn: Connection) -> dict[Any, tuple[Any, ...]]:
    """Return success and offset of each execution, by id."""
    rows = await conn.fetch("select execution_id, success, log_offset from tool_executions")
    return {row["execution_id"]: (row["success"], row["log_offset"]) for row in rows}


def again(one: ExecutionEntry, success: bool) -> ExecutionEntry:
    return entry(execution_id=one.execution_id, version_id=one.version_id, success=success)


async def test_in_a_batch_the_first_of_the_log_counts(conn: Connection) -> None:
    (first,) = await deploy_all(conn, "one")
    runs = [entry(version_id=first, success=number % 2 > 0) for number in range(6)]
    batch = [runs[0], runs[1], again(runs[0], True), again(runs[1], False), *runs[2:], runs[5]]
    assert await record_on(conn, 0, batch) == 6
    places = [0, 1, 4, 5, 6, 7]
    assert await stored(conn) == {
        each.execution_id: (each.success, place) for each, place in zip(runs, places, strict=True)
    }
    assert await metrics(conn, first) == (6, 3, 0.5)


async def test_of_a_batch_only_what_is_new_counts(conn: Connection) -> None:
    first, second = await deploy_all(conn, "one", "two")
    old = [entry(version_id=first) for _ in range(5)]
    assert await record_on(conn, 0, old) == 5
    before = await stored(conn)
    new = [entry(version_id=second, success=False) for _ in range(3)]
    mixed = [again(old[0], False), new[0], old[1], new[1], again(new[0], True), new[2], old[4]]
    assert await record_on(conn, 1, mixed) == 3
    places = {each.execution_id: (False, place) for each, place in zip(new, (1, 3, 5), strict=True)}
    assert await stored(conn) == before | places
    assert await metrics(conn, first) == (5, 5, 1.0)
    assert await metrics(conn, second) == (3, 0, 0.0)
    assert await record_on(conn, 0, [*old, *new]) == 0
    assert await next_offset(conn, TOPIC, 0) == 13
    assert await stored(conn) == before | places


@pytest.mark.parametrize("ends", ["commit", "rollback"])
async def test_another_recorder_stores_it_at_the_same_time(
    pool: Pool, conn: Connection, ends: str
) -> None:
    """Let the second wait for the first.

    If the first one commits, nothing of the batch of the second is kept, and its next try leaves
    out what the first has stored.
    """
    (first,) = await deploy_all(conn, "one")
    same = entry(version_id=first)
    transaction = conn.transaction()
    await transaction.start()
    assert await record_on(conn, 0, [entry(version_id=first), same]) == 2

    async with acquire(pool) as other:
        batch = [entry(version_id=first), same, entry(version_id=first, success=False)]
        waiting = asyncio.create_task(record_on(other, 1, batch))
        await until_one_waits(conn)
        if ends == "rollback":
            await transaction.rollback()
            assert await waiting == 3
            assert await metrics(other, first) == (3, 2, 2 / 3)
            return
        await transaction.commit()
        with pytest.raises(Retryable, match="tool_executions_pkey"):
            await waiting
        assert await next_offset(other, TOPIC, 1) == 0
        assert len(await stored(other)) == 2
        assert await record_on(other, 1, batch) == 2
        assert await metrics(other, first) == (4, 3, 0.75)


async def _require_that_the_last_is_free(
    pool: Pool, conn: Connection, runs: Sequence[ExecutionEntry]
) -> None:
    """Require that who waits for the second of three, sorted as they are stored, holds no third."""
    transaction = conn.transaction()
    await transaction.start()
    assert await record_on(conn, 0, [runs[1]]) == 1
    async with acquire(pool) as other:
        waiting = asyncio.create_task(record_on(other, 1, runs[::-1]))
        await until_one_waits(conn)
        assert await record_on(conn, 0, [runs[2]]) == 1
        await transaction.commit()
        with pytest.raises(Retryable, match="tool_executions_pkey"):
            await waiting
        assert await record_on(other, 1, runs[::-1]) == 1


async def test_who_waits_holds_nothing_that_comes_later(pool: Pool, conn: Connection) -> None:
    """Ids are stored in their order, whatever the log's: two never wait for each other."""
    runs = sorted((entry() for _ in range(3)), key=lambda each: each.execution_id.int)
    await _require_that_the_last_is_free(pool, conn, runs)


async def test_the_same_executions_on_four_partitions(pool: Pool, conn: Connection) -> None:
    """In whatever order: each is counted once."""
    (first,) = await deploy_all(conn, "one")
    same = [entry(version_id=first) for _ in range(2_000)]
    shuffled = [Random(partition).sample(same, len(same)) for partition in range(4)]
    recording = [record_patiently(pool, number, each) for number, each in enumerate(shuffled)]
    assert sum(await asyncio.gather(*recording)) == 2_000
    assert await metrics(conn, first) == (2_000, 2_000, 1.0)


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_comes_again_and_whatever_ends(
    pool: Pool, conn: Connection, seed: int
) -> None:
    """Three partitions with executions of each other's, and batches that are given up anywhere."""
    random = Random(seed)
    versions = await deploy_all(conn, "one", "two")
    runs = [
        entry(version_id=random.choice(versions), success=random.random() < 0.7) for _ in "x" * 900
    ]
    logs = [random.choices(runs, k=1_500) for _ in range(3)]

    async def record_all_of(partition: int) -> int:
        given_up = 0  # with each, the next may take longer, so that a slow machine ends, too
        while True:
            async with acquire(pool) as other:
                begin = await next_offset(other, TOPIC, partition)
            if begin == len(logs[partition]):
                return given_up
            batch = logs[partition][begin : begin + random.randint(1, 200)]
            limit_s = random.uniform(0.001, 0.05) * (1 + given_up / 20)
            try:
                async with asyncio.timeout(limit_s), acquire(pool) as other:
                    await record_on(other, partition, batch)
            except (TimeoutError, Retryable):
                given_up += 1

    given_up = await asyncio.gather(*map(record_all_of, range(3)))
    assert min(given_up) > 0
    expected = {each.execution_id: each for log in logs for each in log}
    found = await stored(conn)
    assert {key: success for key, (success, _) in found.items()} == {
        key: each.success for key, each in expected.items()
    }
    for version_id in versions:
        outcomes = [each.success for each in expected.values() if each.version_id == version_id]
        assert (await metrics(conn, version_id))[:2] == (len(outcomes), sum(outcomes))


async def test_a_plan_from_when_nothing_was_there(conn: Connection) -> None:
    """It reads by the index, too: a recorder keeps its plan while the table grows."""
    sql = blocks("executions/recording.sql")
    await conn.execute("vacuum tool_executions")
    async with conn.transaction():
        await conn.execute("set local plan_cache_mode = force_generic_plan")
        await conn.execute(sql["read_by_index"])
        await conn.execute(f"prepare known as {sql['known']}")
        plan = await conn.fetchval("explain (format json) execute known('{}', '{}')")
    nodes = re.findall(r'"Node Type": "([^"]+)"', plan)
    assert "Seq Scan" not in nodes
    assert any("Index" in node for node in nodes)


async def test_an_id_of_another_tool_is_another_execution(conn: Connection) -> None:
    """Of whatever tool it comes first, in the same batch or in an earlier one."""
    (first,) = await deploy_all(conn, "one")
    mine = [entry(version_id=first) for _ in range(4)]
    foreign = [
        entry(tool="evil", execution_id=each.execution_id, success=False, version_id=first)
        for each in mine
    ]
    assert await record_on(conn, 1, foreign[:2]) == 2
    assert await record_on(conn, 0, [mine[0], foreign[2], mine[2], mine[0], foreign[2]]) == 3
    assert await record_on(conn, 0, [*mine, *foreign]) == 3
    assert await metrics(conn, first) == (4, 4, 1.0)
    rows = await conn.fetch("select execution_id, tool_name, success from tool_executions")
    assert {tuple(row) for row in rows} == {
        (each.execution_id, each.tool_name, each.success) for each in (*mine, *foreign)
    }
    assert len(rows) == 8


async def test_who_waits_for_an_id_of_two_tools_holds_nothing_that_comes_later(
    pool: Pool, conn: Connection
) -> None:
    """The same id of several tools is stored in the order of the tools."""
    runs = [entry()]
    runs += [entry(tool=tool, execution_id=runs[0].execution_id) for tool in ("q", "r")]
    await _require_that_the_last_is_free(pool, conn, runs)
