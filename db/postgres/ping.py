"""A check that Postgres answers."""

from typing import Final

from db.postgres.errors import postgres_errors
from db.postgres.pool import Pool, acquire
from db.postgres.sql import blocks

_SQL: Final = blocks("postgres/ping.sql")


async def ping(pool: Pool, timeout_s: float) -> None:
    """Wait until Postgres has answered.

    Raises what ``db.postgres.pool.acquire`` raises, also if there is no answer in time.
    """
    async with acquire(pool) as conn:
        with postgres_errors():
            await conn.execute(_SQL["ping"], timeout=timeout_s)
