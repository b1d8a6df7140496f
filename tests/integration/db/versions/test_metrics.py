"""Metrics counted anew: exact whatever is recorded meanwhile, and nothing on a healthy system."""

import asyncio
from typing import Any

import pytest

from db.executions import recording as executions
from db.postgres.pool import Connection, Pool
from db.versions.metrics import Metrics, Recount, recount
from tests.support.inputs.stored import deploy_all, execution, metrics, record_all, until_one_waits

NONE = Metrics(0, 0, None)


async def damage(conn: Connection, version_id: int, **columns: Any) -> None:
    for name, value in columns.items():
        await conn.execute(
            f"update tool_versions set {name} = $2 where version_id = $1", version_id, value
        )


class TestRecount:
    async def test_what_is_right_stays(self, conn: Connection) -> None:
        """To the last bit: the rates of many batches."""
        (first,) = await deploy_all(conn, "one")
        assert await recount(conn, "parser", first) == Recount(NONE, NONE, changed=False)
        for number in range(30):
            batch = [execution(version_id=first, success=n % 3 > 0) for n in range(number % 4 + 1)]
            await record_all(conn, *batch)
            found = await recount(conn, "parser", first)
            assert found is not None
            assert not found.changed
            assert found.before == found.after == Metrics(*await metrics(conn, first))

    async def test_what_is_wrong_is_corrected(self, conn: Connection) -> None:
        first, second = await deploy_all(conn, "one", "two")
        bad = execution(version_id=second, success=False)
        await record_all(conn, bad, *(execution(version_id=second) for _ in range(3)))
        right = Metrics(4, 3, 0.75)
        for damaged in (
            {"total_executions": 7},
            {"successful_executions": 0},
            {"success_rate": None},
            {"success_rate": float("nan")},
            {"total_executions": 0, "successful_executions": 0, "success_rate": None},
        ):
            await damage(conn, second, **damaged)
            found = await recount(conn, "parser", second)
            assert found is not None
            assert (found.after, found.changed) == (right, True)
            assert await metrics(conn, second) == (4, 3, 0.75)
        await damage(conn, first, total_executions=1, successful_executions=1, success_rate=1.0)
        found = await recount(conn, "parser", first)
        assert found == Recount(Metrics(1, 1, 1.0), NONE, changed=True)
        assert await metrics(conn, first) == (0, 0, None)

    async def test_only_this_tools_executions_count(self, conn: Connection) -> None:
        (first,) = await deploy_all(conn, "one")
        alien = execution("other", version_id=first)
        await record_all(conn, alien, execution(), execution(version_id=first))
        assert await recount(conn, "parser", first) == Recount(
            Metrics(1, 1, 1.0), Metrics(1, 1, 1.0), changed=False
        )

    async def test_no_such_version(self, conn: Connection) -> None:
        (first,) = await deploy_all(conn, "one")
        await record_all(conn, execution("other", version_id=first))
        assert await recount(conn, "other", first) is None
        for version_id in (-1, 0, first + 1, 2**31, 2**70):
            assert await recount(conn, "parser", version_id) is None


class TestWhileExecutionsAreRecorded:
    async def test_the_recorder_has_counted_but_not_committed(
        self, pool: Pool, conn: Connection
    ) -> None:
        """The recount waits, and sees both the executions and what they added."""
        (first,) = await deploy_all(conn, "one")
        async with pool.acquire() as recorder:
            transaction = recorder.transaction()
            await transaction.start()
            await record_all(recorder, execution(version_id=first))
            counting = asyncio.create_task(recount(conn, "parser", first))
            await until_one_waits(recorder)
            await transaction.commit()
        once = Metrics(1, 1, 1.0)
        assert await counting == Recount(once, once, changed=False)

    async def test_the_recorder_has_inserted_but_not_counted(
        self, pool: Pool, conn: Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The recount sees neither, and the recorder adds to what the recount has written."""
        (first,) = await deploy_all(conn, "one")
        await record_all(conn, execution(version_id=first))
        await damage(conn, first, total_executions=9)
        inserted, go_on = asyncio.Event(), asyncio.Event()
        count = executions._count

        async def later(*args: Any) -> None:
            inserted.set()
            await go_on.wait()
            await count(*args)

        monkeypatch.setattr(executions, "_count", later)
        async with pool.acquire() as recorder:
            recording = asyncio.create_task(
                record_all(recorder, execution(version_id=first, success=False))
            )
            await inserted.wait()
            found = await recount(conn, "parser", first)
            assert found == Recount(Metrics(9, 1, 1.0), Metrics(1, 1, 1.0), changed=True)
            go_on.set()
            assert await recording == 1
        assert await metrics(conn, first) == (2, 1, 0.5)

    async def test_again_and_again(self, pool: Pool, conn: Connection) -> None:
        """Between any two statements of the recorder: never a difference."""
        (first,) = await deploy_all(conn, "one")

        async def record_on() -> None:
            async with pool.acquire() as recorder:
                for number in range(200):
                    await record_all(recorder, execution(version_id=first, success=number % 2 > 0))

        recording = asyncio.create_task(record_on())
        recounts = 0
        while not recording.done():
            found = await recount(conn, "parser", first)
            assert found is not None
            assert not found.changed
            recounts += 1
        await recording
        assert recounts > 10
        assert await metrics(conn, first) == (200, 100, 0.5)
