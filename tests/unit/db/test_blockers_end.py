"""The watch for who holds a lock ends with what it watches."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from db.postgres.blockers import naming_blockers, note_process
from schemas.errors import Retryable


async def test_it_ends_although_a_connection_has_lost_a_cancellation() -> None:
    looks = asyncio.Event()

    @asynccontextmanager
    async def look() -> AsyncIterator[Any]:
        is_first = not looks.is_set()
        looks.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            if is_first:
                raise Retryable("Postgres", "the library has taken it for an error") from None
            raise
        yield

    async with naming_blockers(look, 1_000):
        note_process(1)
        await looks.wait()
