"""Whether Postgres answers."""

from typing import Final

from db.errors import postgres_errors
from db.pool import Pool, acquire
from db.sql import blocks

_SQL: Final = blocks("ping.sql")


async def ping(pool: Pool, timeout_s: float) -> None:
    """Return when it has answered; what :func:`db.pool.acquire` and its errors raise otherwise."""
    async with acquire(pool) as conn:
        with postgres_errors():
            await conn.execute(_SQL["ping"], timeout=timeout_s)
