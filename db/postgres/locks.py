"""One writer for each tool: advisory locks by the name of the tool, with a limited wait.

Every lock belongs to a transaction, because a pooler may give the next transaction of a connection
to another session. A lock that is held for longer therefore needs a connection of its own.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from db.postgres.errors import postgres_errors
from db.postgres.pool import Connection, Pool, acquire
from db.postgres.sql import blocks

LOCK_TIMEOUT_MS: Final = 10_000

_SQL: Final = blocks("postgres/locks.sql")

_PUBLISHING: Final = 7655
_CHANGING: Final = 7656
"""The seeds of the two kinds of locks of a tool."""


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
        await conn.execute(_SQL["lock"], tool_names, _CHANGING, str(LOCK_TIMEOUT_MS))
        yield


async def lock_versions(conn: Connection, version_ids: Sequence[int]) -> None:
    """Lock these versions against changes by others until the transaction ends."""
    await conn.execute(_SQL["lock_versions"], version_ids)


@asynccontextmanager
async def idle_transaction(holder: Connection) -> AsyncIterator[None]:
    """Keep a transaction open for a lock that the body takes on this connection, and works under.

    Work on another connection meanwhile. Raises what ``postgres_errors`` raises, also at the end if
    the connection was lost: the lock was lost with it, so do the work again.
    """
    async with _transaction(holder):
        await holder.execute(_SQL["may_be_idle"])
        yield


@asynccontextmanager
async def tool_lock(holder: Connection, *tool_names: str) -> AsyncIterator[None]:
    """Hold the tools for longer than one transaction, in an ``idle_transaction``.

    Whoever changes tools and publishes what was committed does both under this lock, so that nobody
    changes and publishes them in between. The functions that change a tool take a lock of their own
    for their transaction: call them on another connection. Raises Retryable if another one holds
    one of the tools for too long, or if waiting for all of them takes longer than
    ``COMMAND_TIMEOUT_S``.
    """
    async with idle_transaction(holder):
        await holder.execute(_SQL["lock"], tool_names, _PUBLISHING, str(LOCK_TIMEOUT_MS))
        yield


@asynccontextmanager
async def locked_tools(pool: Pool, *tool_names: str) -> AsyncIterator[Connection]:
    """Yield a connection to work on while another one of the pool holds the ``tool_lock``."""
    async with (
        acquire(pool) as holder,
        tool_lock(holder, *tool_names),
        acquire(pool) as conn,
    ):
        yield conn
