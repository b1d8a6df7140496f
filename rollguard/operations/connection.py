"""A connection to Postgres for an operator's verb."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from db.postgres.blockers import naming_blockers
from db.postgres.errors import postgres_errors
from db.postgres.locks import LOCK_TIMEOUT_MS
from db.postgres.migrate import require_schema
from db.postgres.pool import Connection, connect
from schemas.settings import Settings


@asynccontextmanager
async def changing_connection(settings: Settings) -> AsyncIterator[Connection]:
    """Yield a connection for changes. A Locked names who held the lock that was waited for."""
    look = partial(connection, settings)
    async with naming_blockers(look, LOCK_TIMEOUT_MS), connection(settings) as conn:
        yield conn


@asynccontextmanager
async def connection(where: Settings | Connection) -> AsyncIterator[Connection]:
    """Yield a connection to a migrated database, and close it at the end of the block.

    A connection that the caller has already is yielded as it is, and stays open: so several
    questions need only one. Misconfigured if the schema is missing or old, Retryable if Postgres
    does not answer.
    """
    if not isinstance(where, Settings):
        with postgres_errors():
            yield where
        return
    conn = await connect(where.postgres_dsn.get_secret_value())
    try:
        with postgres_errors():
            await require_schema(conn)
            yield conn
    finally:
        await conn.close()
