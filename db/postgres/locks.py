"""One writer for each tool: advisory locks by the name of the tool, with a limited wait."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

import asyncpg

from db.postgres.errors import POSTGRES_ERRORS, postgres_errors
from db.postgres.pool import Connection
from db.postgres.sql import blocks

LOCK_TIMEOUT_MS: Final = 10_000

_SQL: Final = blocks("postgres/locks.sql")


@asynccontextmanager
async def _transaction(conn: Connection) -> AsyncIterator[None]:
    with postgres_errors():
        async with conn.transaction(isolation="read_committed"):
            yield


@asynccontextmanager
async def bounded_transaction(conn: Connection) -> AsyncIterator[None]:
    """Run a transaction in which no statement waits longer than ``LOCK_TIMEOUT_MS`` for a lock.

    Each statement sees what is committed when it starts. Raises what
    ``db.postgres.errors.postgres_errors`` raises.
    """
    async with _transaction(conn):
        await conn.execute(_SQL["limit_waits"], str(LOCK_TIMEOUT_MS))
        yield


@asynccontextmanager
async def tool_transaction(conn: Connection, *tool_names: str) -> AsyncIterator[None]:
    """Run a ``bounded_transaction`` that is the only one to change these tools.

    Raises Retryable if another one holds one of them for too long.
    """
    async with _transaction(conn):
        await conn.execute(_SQL["lock_until_commit"], tool_names, str(LOCK_TIMEOUT_MS))
        yield


async def lock_versions(conn: Connection, version_ids: Sequence[int]) -> None:
    """Lock these versions against changes by others until the transaction ends."""
    await conn.execute(_SQL["lock_versions"], version_ids)


@asynccontextmanager
async def tool_lock(conn: Connection, *tool_names: str) -> AsyncIterator[None]:
    """Hold the locks of the tools for longer than one transaction.

    So what was committed can be published before anyone changes the tools again. The functions that
    change a tool may be called inside, on the same connection. Do not call it inside a transaction.
    Raises Retryable if another one holds one of the tools for too long, or if waiting for all of
    them takes longer than ``COMMAND_TIMEOUT_S``. The locks are always released: if the server
    cannot be told, by ending the connection.
    """
    try:
        with postgres_errors():
            await conn.execute(_SQL["lock"], tool_names, str(LOCK_TIMEOUT_MS))
        yield
    finally:
        await _unlock(conn, tool_names)


async def _unlock(conn: Connection, tool_names: Sequence[str]) -> None:
    try:
        await conn.execute(_SQL["unlock"], tool_names)
    except BaseException as error:
        with suppress(asyncpg.InterfaceError):  # lost already, and no longer in its pool
            conn.terminate()
        if not isinstance(error, POSTGRES_ERRORS):
            raise
