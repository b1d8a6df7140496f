"""One writer for each tool: locks of rows in `tool_locks`, with a limited wait.

Only a role that may write to that table can take these locks. An advisory lock would be anybody's.

Every lock belongs to a transaction, because a pooler may give the next transaction of a connection
to another session. A lock that is held for longer therefore needs a connection of its own.
"""

from collections import Counter
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Final, Literal

from db.postgres.blockers import note_process, note_session, watched_attempt
from db.postgres.errors import postgres_errors
from db.postgres.pool import Connection, Pool, acquire
from db.postgres.sql import blocks, named
from schemas.errors import Locked, Retryable

LOCK_TIMEOUT_MS: Final = 10_000
"""How long a transaction that is not about single tools waits for a lock."""
TOOL_TIMEOUT_MS: Final = 1_000
"""How long a change of tools waits for a lock. It is short, because other tools wait meanwhile."""
IDLE_LIMIT_MS: Final = 30_000
"""Postgres ends a transaction of ours that has been idle for this long, and frees its locks: its
process stands still, or what it waits for does not answer. What was done under the lock is then
done again."""

_SQL: Final = blocks("postgres/locks.sql")
_LOCK: Final = _SQL["lock"]
_LOCK_FREE: Final = named("postgres.locks.lock_free", f"{_LOCK} skip locked")
"""It leaves out what others have locked, instead of waiting for it."""

_Kind = Literal["change", "publish"]


@asynccontextmanager
async def _transaction(conn: Connection) -> AsyncIterator[None]:
    with postgres_errors():
        async with conn.transaction(isolation="read_committed"):
            yield


def _watched_wait_ms(otherwise: int | None) -> int | None:
    """Return how long a watched attempt waits for a lock; ``otherwise`` if none is watched."""
    attempt = watched_attempt()
    return otherwise if attempt is None else attempt.wait_ms


@asynccontextmanager
async def bounded_transaction(conn: Connection) -> AsyncIterator[None]:
    """Run a transaction in which no statement waits longer than ``LOCK_TIMEOUT_MS`` for a lock.

    In a watched attempt (``db.postgres.blockers``), none waits longer than the attempt does. Each
    statement sees what is committed when it starts. Raises what
    ``db.postgres.errors.postgres_errors`` raises.
    """
    limits = str(_watched_wait_ms(LOCK_TIMEOUT_MS)), str(IDLE_LIMIT_MS)
    async with _transaction(conn):
        note_process(await conn.fetchval(_SQL["limit_waits"], *limits))
        yield


@asynccontextmanager
async def tool_transaction(
    conn: Connection, *tool_names: str, wait_ms: int | None = None
) -> AsyncIterator[None]:
    """Run a transaction that is the only one to change these tools.

    Raises Locked if a statement waits longer than ``wait_ms`` for this or another lock: without it,
    as long as a watched attempt waits (``db.postgres.blockers``), otherwise ``TOOL_TIMEOUT_MS``.
    """
    if wait_ms is None:
        wait_ms = _watched_wait_ms(TOOL_TIMEOUT_MS)
    async with _holding(conn, "change", tool_names, wait_ms):
        yield


async def lock_versions(conn: Connection, version_ids: Sequence[int]) -> None:
    """Lock these versions against changes by others until the transaction ends."""
    await conn.execute(_SQL["lock_versions"], version_ids)


async def lock_fleet(conn: Connection) -> None:
    """Lock what concerns all tools together until the transaction ends.

    Take it after every other lock: who has it must not wait.
    """
    while not await conn.fetch(_SQL["lock_fleet"]):
        await conn.execute(_SQL["add"], [""], "fleet")


async def locked_among(pool: Pool, tool_names: Sequence[str]) -> set[str]:
    """Return those of these tools that somebody else keeps from being changed at this moment.

    Their lock for changes is taken, or the row of their current version is locked.
    """
    async with acquire(pool) as conn, bounded_transaction(conn):
        exist = await conn.fetch(_SQL["known"], tool_names, "change")
        exist += await conn.fetch(_SQL["with_versions"], tool_names)
        limits = str(TOOL_TIMEOUT_MS), str(IDLE_LIMIT_MS)
        free = await conn.fetch(_LOCK_FREE, tool_names, "change", *limits)
        free += await conn.fetch(_SQL["free_versions"], tool_names)
    missing = Counter(row["tool_name"] for row in exist)
    missing.subtract(row["tool_name"] for row in free)
    return {tool for tool, rows in missing.items() if rows > 0}


@asynccontextmanager
async def idle_transaction(holder: Connection) -> AsyncIterator[None]:
    """Keep a transaction open, for as long as it takes, for a lock that the body takes on it.

    Work on another connection meanwhile. The lock must not keep others from changing tools. Raises
    what ``postgres_errors`` raises, also at the end if the connection was lost: the lock was lost
    with it, so do the work again.
    """
    async with _transaction(holder):
        note_process(await holder.fetchval(_SQL["may_be_idle"]))
        yield


@asynccontextmanager
async def tool_lock(
    holder: Connection, *tool_names: str, wait_ms: int | None = None
) -> AsyncIterator[None]:
    """Hold the tools for longer than one transaction, in a transaction that is idle meanwhile.

    Whoever changes tools and publishes what was committed does both under this lock, so that nobody
    changes and publishes them in between. The functions that change a tool take a lock of their own
    for their transaction: call them on another connection.

    Raises Locked with the tools that somebody else holds. It waits for them for ``wait_ms``, or as
    long as a watched attempt waits (``db.postgres.blockers``), otherwise not at all. Raises
    Retryable at the end if the connection was lost, or if it was idle for ``IDLE_LIMIT_MS``: the
    lock was lost, so do the work again.
    """
    if wait_ms is None:
        wait_ms = _watched_wait_ms(None)
    async with _holding(holder, "publish", tool_names, wait_ms):
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


@asynccontextmanager
async def _holding(
    conn: Connection, kind: _Kind, tool_names: Sequence[str], wait_ms: int | None
) -> AsyncIterator[None]:
    """Run a transaction that holds the rows of these tools.

    Rows that are missing are added by a transaction of their own before: a transaction that adds a
    row and then waits for another one could wait in a circle.
    """
    for _ in range(2):
        async with _transaction(conn):
            await note_session(conn)
            missing = await _lock(conn, kind, tool_names, wait_ms)
            if not missing:
                yield
                return
        async with bounded_transaction(conn):
            await conn.execute(_SQL["add"], sorted(missing), kind)
    raise Retryable("Postgres", f"somebody removes rows of tool_locks: {sorted(missing)}")


async def _lock(
    conn: Connection, kind: _Kind, tool_names: Sequence[str], wait_ms: int | None
) -> Collection[str]:
    """Lock the rows of these tools, and return the tools that have none. Raises Locked."""
    sql = _LOCK_FREE if wait_ms is None else _LOCK
    limits = str(TOOL_TIMEOUT_MS if wait_ms is None else wait_ms), str(IDLE_LIMIT_MS)
    rows = await conn.fetch(sql, tool_names, kind, *limits)
    missing = set(tool_names) - {row["tool_name"] for row in rows}
    if missing and wait_ms is None:
        known = await conn.fetch(_SQL["known"], sorted(missing), kind)
        if locked := {row["tool_name"] for row in known}:
            raise Locked(f"locked by somebody else: {sorted(locked)}", locked)
    return missing
