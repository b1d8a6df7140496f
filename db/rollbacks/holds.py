"""Commands that wait for a person: what is said of them, and what becomes of those of which nothing
is said in time.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg

from db.postgres.errors import postgres_errors
from db.postgres.pool import Connection
from db.postgres.sql import blocks
from schemas.rollback import Rejection, RollbackCommand, RollbackOutcome, Status

_SQL: Final = blocks("rollbacks/holds.sql")

_KEPT: Final = (
    *("command_id", "tool_name", "from_version_id", "from_activation", "to_version_id"),
    *("tier", "reason", "details", "issued_by"),
)


class Conclusion(NamedTuple):
    """What came of a held command, and who said so, why it was dismissed."""

    command_id: UUID
    status: Status
    rejection: Rejection | None
    approved_by: str | None
    dismissed_by: str | None
    dismissal: str | None


def answered(row: asyncpg.Record, answer: RollbackCommand) -> RollbackCommand | None:
    """The command of this row of `rollbacks` with what a person says of it, issued when they say
    it; None where nothing is said, or where the row does not wait for it.

    It is about what was held, whatever else the answer holds: the version and its activation that
    were current, and the target that was shown.
    """
    if not answer.is_answer or row["status"] != "held" or row["tool_name"] != answer.tool_name:
        return None
    return answer.model_copy(update={"mode": None} | {name: row[name] for name in _KEPT})


async def conclude(conn: Connection, conclusions: Sequence[Conclusion]) -> list[asyncpg.Record]:
    """Held commands become what came of them; their rows. Inside a transaction."""
    return await conn.fetchmany(_SQL["conclude"], conclusions) if conclusions else []


async def expire(conn: Connection, command_ids: Sequence[UUID]) -> list[asyncpg.Record]:
    """Those of these held commands that are past their time become rejected; their rows. The caller
    has locked their tools.
    """
    with postgres_errors():
        return await conn.fetch(_SQL["expire"], command_ids)


async def tools_due(conn: Connection) -> list[str]:
    """The tools of held commands that are past their time."""
    with postgres_errors():
        return [row["tool_name"] for row in await conn.fetch(_SQL["tools_due"])]


async def due(conn: Connection, tool_name: str) -> list[RollbackOutcome]:
    """What :func:`expire` makes of the tool's held commands: the outcomes, the same each time."""
    with postgres_errors():
        rows = await conn.fetch(_SQL["due"], tool_name)
    return [RollbackOutcome.model_validate(dict(row)) for row in rows]
