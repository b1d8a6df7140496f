"""The state of the system is known in time, also if a part accepts connections and says nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from rollguard.operations.overview.status import system_status
from schemas.settings import only_these_settings
from tests.support.waiting import until


@pytest.fixture
async def silent() -> AsyncIterator[int]:
    """Yield the port of a server that never says anything."""
    kept = []

    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        kept.append(writer)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        for writer in kept:
            writer.close()


async def test_a_part_that_says_nothing_is_given_up(silent: int) -> None:
    settings = only_these_settings(
        kafka_brokers=f"127.0.0.1:{silent}",
        postgres_dsn=f"postgresql://me@127.0.0.1:{silent}/x?sslmode=disable",
    )
    others = asyncio.all_tasks()
    found = await system_status(settings, limit_s=0.5)
    assert found.stuck == [
        "Kafka: no answer within 0.5 s",
        "Postgres: no answer within 0.5 s",
    ]

    async def given_up() -> bool:
        return asyncio.all_tasks() <= others

    await until(given_up)


async def test_a_fault_of_ours_is_no_missing_answer(silent: int) -> None:
    @asynccontextmanager
    async def postgres() -> AsyncIterator[None]:
        raise ZeroDivisionError
        yield

    settings = only_these_settings(kafka_brokers=f"127.0.0.1:{silent}")
    with pytest.raises(ZeroDivisionError):
        await system_status(settings, postgres, limit_s=0.1)  # type: ignore[arg-type]
