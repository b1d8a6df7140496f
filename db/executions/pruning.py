"""The removal of old executions in small batches. The metrics of their versions stay.

Later verdicts on them go with them, and so do old ones on executions that are not recorded.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from db.postgres.errors import postgres_errors
from db.postgres.locks import bounded_transaction, idle_transaction
from db.postgres.pool import Connection
from db.postgres.sql import blocks
from schemas.errors import Locked, Rejected

_SQL: Final = blocks("executions/pruning.sql")

_LOCK_WAIT_MS: Final = 3_000
"""Longer than Postgres lets its own VACUUM keep somebody else waiting."""


@asynccontextmanager
async def only_removal(holder: Connection) -> AsyncIterator[None]:
    """Be the only one that removes or erases executions. Raise Rejected if somebody else does.

    Do it on another connection: this one is in an ``idle_transaction``.
    """
    async with idle_transaction(holder):
        await holder.execute(_SQL["limit_wait"], str(_LOCK_WAIT_MS))
        try:
            with postgres_errors():
                await holder.execute(_SQL["lock"])
        except Locked:
            raise Rejected("another prune or erase is at work on this database") from None
        yield


async def tools_with_executions_before(conn: Connection, before: datetime) -> list[str]:
    """Return the tools that have executions with ``executed_at`` < ``before``."""
    with postgres_errors():
        rows = await conn.fetch(_SQL["tools"], before)
    return [row["tool_name"] for row in rows]


async def executions_before(conn: Connection, tool_name: str, before: datetime) -> int:
    """Return how many executions of a tool have ``executed_at`` < ``before``."""
    with postgres_errors():
        count: int = await conn.fetchval(_SQL["count"], tool_name, before)
    return count


async def verdicts_before(conn: Connection, before: datetime) -> int:
    """Return how many later verdicts are on executions before this time, or on unknown ones.

    On an unknown execution those count that were given before this time.
    """
    with postgres_errors():
        count: int = await conn.fetchval(_SQL["count_verdicts"], before)
    return count


class Removed(NamedTuple):
    """How many executions, and later verdicts on them, one transaction removed."""

    executions: int
    verdicts: int


async def remove_executions(
    conn: Connection, tool_name: str, before: datetime, most: int
) -> Removed:
    """Remove the oldest ``most`` executions of a tool with ``executed_at`` < ``before``.

    It is one transaction. Later verdicts on these executions are removed, too. The metrics of
    their versions stay, and the number of those that are judged is added to ``pruned_executions``.
    The executions and verdicts are locked before the versions, and the versions in the order of
    their ids, as the recorder does it: so the two never wait for each other in a circle. Raises
    Retryable.
    """
    async with bounded_transaction(conn):
        removed = await conn.fetch(_SQL["remove"], tool_name, before, most)
        counted = [row for row in removed if row["version_id"] is not None]
        if counted:
            ids = [row["version_id"] for row in counted]
            await conn.execute(_SQL["lock_versions"], ids)
            await conn.execute(_SQL["remember"], ids, [row["judged"] for row in counted], tool_name)
        executions = sum(row["executions"] for row in removed)
        return Removed(executions, removed[0]["verdicts"] if removed else 0)


class VerdictKey(NamedTuple):
    """The key of a later verdict: a batch begins after it."""

    tool_name: str
    verdict_id: UUID


FIRST: Final = VerdictKey("", UUID(int=0))


async def remove_lone_verdicts(
    conn: Connection, before: datetime, after: VerdictKey, most: int
) -> tuple[int, VerdictKey] | None:
    """Look at the next ``most`` later verdicts; return how many were removed, and the last one.

    Those are removed that were given before this time and whose execution is not recorded. None if
    there are no more verdicts. Raises Retryable.
    """
    async with bounded_transaction(conn):
        row = await conn.fetchrow(_SQL["remove_lone_verdicts"], before, *after, most)
    if row is None:
        return None
    return row["removed"], VerdictKey(row["tool_name"], row["verdict_id"])
