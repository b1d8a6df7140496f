"""Who holds the locks that an attempt waits for: process, application and user.

Postgres can say it only while somebody waits. So an attempt that is watched waits for locks for a
short time, and another connection asks meanwhile.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from db.postgres.errors import postgres_errors
from db.postgres.pool import Connection
from db.postgres.sql import blocks
from rollguard_client.tasks import end_tasks
from schemas.errors import Locked, RollguardError

_SQL: Final = blocks("postgres/blockers.sql")

_LOOK_EVERY_S: Final = 0.1
_MAX_NAME: Final = 64


class Blocker(NamedTuple):
    """A session of Postgres that holds a lock. Its client chooses the name of the application."""

    process_id: int
    application: str
    user: str

    @property
    def text(self) -> str:
        """The session in a few words, for the log and for people."""
        return f"{self.application[:_MAX_NAME]!r} (process {self.process_id}, user {self.user!r})"


@dataclass
class WatchedAttempt:
    """One attempt whose waits for locks are watched."""

    wait_ms: int
    """How long it waits for a lock."""
    process_ids: set[int] = field(default_factory=set)
    """Its sessions of Postgres."""
    blockers: tuple[Blocker, ...] = ()
    """Those that were seen last to hold a lock that it waited for."""


_current: ContextVar[WatchedAttempt | None] = ContextVar("watched_attempt", default=None)


def watched_attempt() -> WatchedAttempt | None:
    """Return the attempt that the caller is part of, if it is watched."""
    return _current.get()


@asynccontextmanager
async def naming_blockers(
    look: Callable[[], AbstractAsyncContextManager[Connection]], wait_ms: int
) -> AsyncIterator[None]:
    """Watch what the body does in transactions of ``db.postgres.locks``.

    They wait for a lock for ``wait_ms``. A Locked that the body raises then says who held the lock,
    if that was seen. ``look`` gives a connection for one look at Postgres, which must not be the
    one that waits.
    """
    attempt = WatchedAttempt(wait_ms)
    token = _current.set(attempt)
    looking = asyncio.ensure_future(_look(look, attempt))
    try:
        yield
    except Locked as error:
        if not attempt.blockers:
            raise
        named = " and ".join(each.text for each in attempt.blockers)
        raise Locked(f"locked by {named}", error.tools) from error
    finally:
        _current.reset(token)
        await end_tasks([looking])


async def note_session(conn: Connection) -> None:
    """Note the session that runs the transaction that has just begun, if it is watched.

    The process id that asyncpg knows may be one that a pooler has made up.
    """
    if _current.get() is not None:
        note_process(await conn.fetchval(_SQL["process_id"]))


def note_process(process_id: int) -> None:
    """Note the process of Postgres that runs the present transaction, if it is watched."""
    if (attempt := _current.get()) is not None:
        attempt.process_ids.add(process_id)


async def _look(
    look: Callable[[], AbstractAsyncContextManager[Connection]], attempt: WatchedAttempt
) -> None:
    while True:
        await asyncio.sleep(_LOOK_EVERY_S)
        if not attempt.process_ids:
            continue
        with suppress(RollguardError):
            async with look() as conn:
                with postgres_errors():
                    rows = await conn.fetch(_SQL["blockers"], list(attempt.process_ids))
            if rows:
                attempt.blockers = tuple(
                    Blocker(row["pid"], row["application_name"] or "", row["usename"] or "")
                    for row in rows
                )
