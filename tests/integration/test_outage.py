"""Postgres goes away and comes back: the applier waits, in order, and nothing is lost."""

import asyncio
from pathlib import Path

import pytest

from tests.door import door_to_postgres
from tests.system import System, until


@pytest.mark.timeout(120)
async def test_the_applier_waits_for_postgres(
    kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with (
        door_to_postgres(database_dsn) as (door, dsn),
        System.started(kafka, dsn, topic_prefix, tmp_path, ("applier",)) as system,
    ):
        assert (await system.deploy("parser", "a")).version_number == 1
        door.shut()
        waiting = asyncio.create_task(system.deploy("parser", "b"))

        async def waits() -> bool:
            return '"waiting"' in system.log("applier")

        await until(waits)
        await door.open()
        assert (await asyncio.wait_for(waiting, 40)).version_number == 2
        assert (await system.deploy("parser", "c")).version_number == 3
        assert await system.stop_all() == [0]
