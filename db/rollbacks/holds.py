"""Held rollbacks: commands that wait for a person, and what comes of them."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import asyncpg

from db.postgres.errors import postgres_errors
from db.postgres.pool import Connection
from db.postgres.sql import blocks
from schemas.rollback import CommandKey, Rejection, RollbackOutcome, Status

_SQL: Final = blocks("rollbacks/holds.sql")


class Conclusion(NamedTuple):
    """The answer to a held command: who gave it, and why a dismissed one was dismissed."""

    key: CommandKey
    status: Status
    rejection: Rejection | None
    approved_by: str | None
    dismissed_by: str | None
    dismissal: str | None


async def conclude(conn: Connection, conclusions: Sequence[Conclusion]) -> list[asyncpg.Record]:
    """Store what came of held commands, in the caller's transaction; return their rows."""
    if not conclusions:
        return []
    return await conn.fetchmany(_SQL["conclude"], [(*key, *rest) for key, *rest in conclusions])


async def expire(conn: Connection, commands: Sequence[CommandKey]) -> list[asyncpg.Record]:
    """Reject those of these held commands that nobody answered in time; return their rows.

    The caller has locked their tools.
    """
    if not commands:
        return []
    with postgres_errors():
        return await conn.fetch(_SQL["expire"], *zip(*commands, strict=True))


class Waiting(NamedTuple):
    """How many held rollbacks or deployments wait for a person."""

    number: int
    oldest_s: float
    """For how long the oldest one waits, in seconds; 0 if there is none."""


async def waiting(conn: Connection) -> Waiting:
    """Return how many held commands can still be approved."""
    with postgres_errors():
        row = await conn.fetchrow(_SQL["waiting"])
    assert row is not None, "an aggregate has a row"
    return Waiting(**row)


async def tools_due(conn: Connection) -> list[str]:
    """Return the tools that have held commands which nobody answered in time."""
    with postgres_errors():
        return [row["tool_name"] for row in await conn.fetch(_SQL["tools_due"])]


async def due(conn: Connection, tool_name: str) -> list[RollbackOutcome]:
    """Return the outcomes that ``expire`` would store for the held commands of the tool.

    They are the same each time, until they are stored.
    """
    with postgres_errors():
        rows = await conn.fetch(_SQL["due"], tool_name)
    return [RollbackOutcome.model_validate(dict(row)) for row in rows]
