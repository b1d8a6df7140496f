"""One writer per tool: advisory locks by the tool's name, with a bounded wait."""

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
    """A transaction in which no lock is waited for longer than ``LOCK_TIMEOUT_MS``, and each
    statement sees what is committed when it starts. Raises what Postgres' errors mean.
    """
    async with _transaction(conn):
        await conn.execute(_SQL["limit_waits"], str(LOCK_TIMEOUT_MS))
        yield


@asynccontextmanager
async def tool_transaction(conn: Connection, *tool_names: str) -> AsyncIterator[None]:
    """A :func:`bounded_transaction` that is the only one to change these tools. Raises Retryable
    when another one holds one of them for too long.
    """
    async with _transaction(conn):
        await conn.execute(_SQL["lock_until_commit"], tool_names, str(LOCK_TIMEOUT_MS))
        yield


async def lock_versions(conn: Connection, version_ids: Sequence[int]) -> None:
    """Let nobody else change these versions until the transaction ends."""
    await conn.execute(_SQL["lock_versions"], version_ids)


@asynccontextmanager
async def tool_lock(conn: Connection, *tool_names: str) -> AsyncIterator[None]:
    """Hold the tools beyond a transaction: to publish what was committed before anyone changes them
    again. The functions that change a tool may be called inside, on this same connection.

    Not inside a transaction. Raises Retryable when another one holds one of them for too long, or
    all together for longer than ``COMMAND_TIMEOUT_S``. They are always given back: where that
    cannot be said to the server, by ending the connection.
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
        with suppress(asyncpg.InterfaceError):  # lost already, and out of its pool
            conn.terminate()
        if not isinstance(error, POSTGRES_ERRORS):
            raise
