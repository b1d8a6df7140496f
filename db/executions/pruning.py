"""The removal of old executions in small batches. The metrics of their versions stay."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final

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


async def remove_executions(conn: Connection, tool_name: str, before: datetime, most: int) -> int:
    """Remove the oldest ``most`` executions of a tool with ``executed_at`` < ``before``.

    It is one transaction; return how many executions it removed. The metrics of their versions
    stay, and the number of those that are judged is added to ``pruned_executions``. The executions
    are locked before the versions, and the versions in the order of their ids, as the recorder does
    it: so the two never wait for each other in a circle. Raises Retryable.
    """
    async with bounded_transaction(conn):
        removed = await conn.fetch(_SQL["remove"], tool_name, before, most)
        counted = [row for row in removed if row["version_id"] is not None]
        if counted:
            ids = [row["version_id"] for row in counted]
            await conn.execute(_SQL["lock_versions"], ids)
            await conn.execute(_SQL["remember"], ids, [row["judged"] for row in counted], tool_name)
        return sum(row["executions"] for row in removed)
