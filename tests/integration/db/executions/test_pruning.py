"""Old executions go, metrics stay, and the recorder is not held up."""

import asyncio
import time
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from db.executions.pruning import only_removal, remove_executions, tools_with_executions_before
from db.executions.recording import LogEntry, record
from db.postgres.pool import Connection, Pool
from db.versions.metrics import recount
from rollguard.operations.prune import Pruned, prune, to_prune
from rollguard.operations.rollbacks import explanation_of
from schemas.errors import Rejected
from schemas.execution import Execution
from schemas.execution_entry import ExecutionEntry
from schemas.settings import Settings, load_settings
from tests.support.inputs.stored import (
    NOW,
    command,
    deploy_all,
    execution,
    metrics,
    record_all,
    roll_back,
    verdict,
)

OLD = NOW - timedelta(days=40)
CUT = NOW - timedelta(days=30)


@pytest.fixture
def settings(database_dsn: str) -> Settings:
    return load_settings(postgres_dsn=database_dsn)


async def left(conn: Connection) -> int:
    count: int = await conn.fetchval("select count(*) from tool_executions")
    return count


async def test_metrics_stay_and_are_not_counted_anew(conn: Connection, settings: Settings) -> None:
    first, second = await deploy_all(conn, "one", "two")
    (alien,) = await deploy_all(conn, "one", tool="数 other")
    old = [
        *(execution(version_id=first, success=n % 4 > 0, executed_at=OLD) for n in range(12)),
        execution(version_id=first, executed_at=CUT - timedelta(microseconds=1)),
        execution(version_id=alien, executed_at=OLD),
        execution(version_id=2**31 - 1, executed_at=OLD),
        execution("no version", executed_at=OLD),
        execution("数 other", version_id=alien, executed_at=OLD),
    ]
    new = [
        execution(version_id=first, executed_at=CUT),
        execution(version_id=second, executed_at=NOW),
        execution("new", executed_at=NOW),
    ]
    await record_all(conn, *old, *new)
    before = [await metrics(conn, each) for each in (first, second, alien)]
    assert before[0] == (14, 11, 11 / 14)

    assert await tools_with_executions_before(conn, CUT) == ["no version", "parser", "数 other"]
    pruned = Pruned(CUT)
    await prune(settings, pruned, batch=5)
    assert pruned.by_tool == {"no version": 1, "parser": 15, "数 other": 1}
    assert {
        row["execution_id"] for row in await conn.fetch("select execution_id from tool_executions")
    } == {each.execution_id for each in new}
    assert [await metrics(conn, each) for each in (first, second, alien)] == before
    gone = await conn.fetch(
        "select version_id, pruned_executions from tool_versions order by version_id"
    )
    assert [tuple(row) for row in gone] == [(first, 13), (second, 0), (alien, 1)]

    with pytest.raises(Rejected, match=r"13 executions of version 1 of 'parser' were pruned"):
        await recount(conn, "parser", first)
    counted = await recount(conn, "parser", second)
    assert counted is not None
    assert not counted.changed
    await record_all(conn, execution(version_id=first))
    assert await metrics(conn, first) == (15, 12, 12 / 15)
    again = Pruned(CUT)
    await prune(settings, again)
    assert again.executions == 0


async def test_a_rollback_is_explained_without_its_executions(
    conn: Connection, settings: Settings
) -> None:
    first, second = await deploy_all(conn, "one", "two")
    runs = [execution(version_id=second, success=False, executed_at=OLD) for _ in range(3)]
    await record_all(conn, *runs)
    ids = [str(run.execution_id) for run in runs]
    order = command(to_version_id=first, details={"recent": ids})
    assert (await roll_back(conn, order)).status == "applied"
    await prune(settings, Pruned(CUT))
    explained = await explanation_of(settings, order.key)
    assert (explained.executions, explained.unrecorded) == ([], ids)


async def test_later_verdicts_go_with_their_executions(
    conn: Connection, settings: Settings
) -> None:
    old = [execution(executed_at=OLD) for _ in range(3)]
    new = [execution(executed_at=CUT), execution("other", executed_at=NOW)]
    gone = [verdict(execution_id=each.execution_id, judged_at=NOW) for each in old for _ in "ab"]
    lone = [
        verdict(tool_name=tool, judged_at=OLD) for tool in ("parser", "other") for _ in range(4)
    ]
    same_id = verdict(tool_name="other", execution_id=old[0].execution_id, judged_at=OLD)
    stay = [
        *(
            verdict(tool_name=each.tool_name, execution_id=each.execution_id, judged_at=OLD)
            for each in new
        ),
        verdict(judged_at=CUT),
        verdict(tool_name="other", execution_id=old[0].execution_id, judged_at=NOW),
    ]
    await record_all(conn, *old, *new, *gone, *lone, same_id, *stay)
    assert (await to_prune(settings, CUT)).verdicts == len(gone) + len(lone) + 1
    pruned = Pruned(CUT)
    await prune(settings, pruned, batch=2)
    assert (pruned.executions, pruned.verdicts) == (3, len(gone) + len(lone) + 1)
    there = await conn.fetch("select verdict_id from later_verdicts")
    assert {row["verdict_id"] for row in there} == {each.verdict_id for each in stay}
    again = Pruned(CUT)
    await prune(settings, again)
    assert (again.executions, again.verdicts) == (0, 0)


async def test_one_at_a_time(pool: Pool, conn: Connection, settings: Settings) -> None:
    await record_all(conn, execution(executed_at=OLD))
    async with only_removal(conn):
        with pytest.raises(Rejected, match="another prune or erase is at work"):
            await prune(settings, Pruned(CUT))
    await prune(settings, Pruned(CUT))
    assert await left(conn) == 0


async def test_what_is_done_stays_done(conn: Connection, settings: Settings) -> None:
    await record_all(conn, *(execution(executed_at=OLD) for _ in range(500)))
    pruned = Pruned(CUT)
    pruning = asyncio.create_task(prune(settings, pruned, batch=10))
    while not pruned.executions:
        await asyncio.sleep(0)
    pruning.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pruning
    assert 0 < pruned.executions < 500
    assert await left(conn) == 500 - pruned.executions
    await prune(settings, pruned)
    assert (pruned.executions, await left(conn)) == (500, 0)


async def _record_on(pool: Pool, batches: list[list[Execution]], partition: int) -> list[float]:
    """Record one batch after the other; return when each was recorded, in s."""
    ends = []
    async with pool.acquire() as conn:
        for number, batch in enumerate(batches):
            start = number * len(batch)
            read = map(ExecutionEntry.of, batch)
            entries = [LogEntry(*each) for each in enumerate(read, start)]
            await record(conn, f"topic-{partition}", partition, start, start + len(batch), entries)
            ends.append(time.perf_counter())
            await asyncio.sleep(0.005)
    return ends


def _batches(versions: list[int], at: datetime, count: int) -> list[list[Execution]]:
    return [
        [
            execution(f"tool {n % 20}", version_id=versions[n % 20], executed_at=at)
            for n in range(200)
        ]
        for _ in range(count)
    ]


@pytest.mark.timeout(360)
async def test_the_recorder_is_not_held_up(
    pool: Pool, conn: Connection, settings: Settings
) -> None:
    """Prune while two recorders work on the same versions.

    Some executions come again while they are removed. There is no deadlock, the recorders do not
    wait until all is removed, and the metrics of each version are exact.
    """
    versions = [(await deploy_all(conn, "one", tool=f"tool {n}"))[0] for n in range(20)]
    old = _batches(versions, OLD, 80)
    await asyncio.gather(_record_on(pool, old[:40], 0), _record_on(pool, old[40:], 1))

    pruned = Pruned(CUT)
    pruning = asyncio.create_task(prune(settings, pruned, batch=500))
    new = _batches(versions, NOW, 60)
    again = [batch[:100] + other[:100] for batch, other in zip(old, new, strict=False)]
    recording = asyncio.gather(
        _record_on(pool, _batches(versions, NOW, 60), 3), _record_on(pool, again, 4)
    )
    await pruning
    pruned_at = time.perf_counter()
    for recorded in await recording:
        assert sum(each < pruned_at for each in recorded) >= 5
    assert pruned.executions >= 15_000
    rows = await conn.fetch(
        "select total_executions, pruned_executions, (select count(*) from tool_executions e"
        " where e.version_id = v.version_id) as present from tool_versions v"
    )
    for row in rows:
        assert row["total_executions"] == row["pruned_executions"] + row["present"]
    assert sum(row["pruned_executions"] for row in rows) == pruned.executions


async def test_a_pruned_id_counts_again(conn: Connection) -> None:
    """What was removed is not known any more; until then it counts once."""
    (first,) = await deploy_all(conn, "one")
    same = execution(version_id=first, executed_at=OLD, execution_id=uuid4())
    assert [await record_all(conn, same), await record_all(conn, same)] == [1, 0]
    assert await remove_executions(conn, "parser", CUT, 10) == (1, 0)
    assert await record_all(conn, same) == 1
    assert (await metrics(conn, first))[0] == 2
