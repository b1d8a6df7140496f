"""One writer per tool: advisory locks by the tool's name, with a bounded wait."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import asyncpg

from db.errors import POSTGRES_ERRORS, postgres_errors
from db.pool import Connection
from db.sql import blocks

LOCK_TIMEOUT_MS: Final = 10_000

_SQL: Final = blocks("locks.sql")


@asynccontextmanager
async def bounded_transaction(conn: Connection) -> AsyncIterator[None]:
    """A transaction in which no lock is waited for longer than ``LOCK_TIMEOUT_MS``, and each
    statement sees what is committed when it starts. Raises what Postgres' errors mean."""
    with postgres_errors():
        async with conn.transaction(isolation="read_committed"):
            await conn.execute(_SQL["limit_waits"], str(LOCK_TIMEOUT_MS))
            yield


@asynccontextmanager
async def tool_transaction(conn: Connection, tool_name: str) -> AsyncIterator[None]:
    """A transaction that is the only one to change this tool. Raises Retryable when another one
    holds the tool for too long."""
    async with bounded_transaction(conn):
        await conn.execute(_SQL["lock_until_commit"], tool_name)
        yield


@asynccontextmanager
async def tool_lock(conn: Connection, tool_name: str) -> AsyncIterator[None]:
    """Hold the tool beyond a transaction: to publish what was committed before anyone changes it
    again. The functions that change a tool may be called inside, on this same connection.

    Not inside a transaction. Raises Retryable when another one holds the tool for too long. It
    is always given back: where that cannot be said to the server, by ending the connection.
    """
    try:
        async with bounded_transaction(conn):  # a session's lock outlives the transaction
            await conn.execute(_SQL["lock"], tool_name)
        yield
    finally:
        await _unlock(conn, tool_name)


async def _unlock(conn: Connection, tool_name: str) -> None:
    try:
        await conn.execute(_SQL["unlock"], tool_name)
    except BaseException as error:
        with suppress(asyncpg.InterfaceError):  # lost already, and out of its pool
            conn.terminate()
        if not isinstance(error, POSTGRES_ERRORS):
            raise
