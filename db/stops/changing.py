"""Changes of stops: a person begins and ends them, or the applier does because of a person.

Only one stop of a kind and a tool, or of some code, is in force: a new one replaces an old one. The
history stays.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from db.postgres.locks import LOCK_TIMEOUT_MS, tool_transaction
from db.postgres.pool import Connection
from db.postgres.sql import blocks
from db.stops.reading import ALL_TOOLS, stop_in
from schemas.stops import Ending, Stop, StopKind

_SQL: Final = blocks("stops/changing.sql")


class NewStop(NamedTuple):
    """A stop that a person begins."""

    kind: StopKind
    tool_name: str | None
    reason: str
    set_by: str
    expires_at: datetime | None = None
    version_id: int | None = None
    code_hash: str | None = None
    command_id: UUID | None = None

    @property
    def row(self) -> tuple[object, ...]:
        """The parameters of the block `begin`."""
        return (
            *(self.kind, self.tool_name or ALL_TOOLS, self.version_id, self.code_hash),
            *(self.command_id, self.reason, self.set_by, self.expires_at),
        )


class StopEnd(NamedTuple):
    """The end of a stop, if there is one of this kind."""

    kind: StopKind
    tool_name: str | None
    by: str
    how: Ending
    code_hash: str | None = None


async def begin(conn: Connection, new: NewStop) -> Stop | None:
    """Begin a stop of a tool, or of all tools. Return None for a tool without versions.

    A deployment or a rollback of the tool that is decided at the same time comes either before it
    or after it. A stop of all tools is known to whatever takes the locks of its tools after this
    has returned; what has them already may still be carried out without it.

    Raises Retryable.
    """
    name = new.tool_name or ALL_TOOLS
    async with tool_transaction(conn, name, wait_ms=LOCK_TIMEOUT_MS):
        if name != ALL_TOOLS and not await conn.fetchval(_SQL["has_versions"], name):
            return None
        [begun] = await begin_each(conn, [new])
        return begun


async def end(conn: Connection, ending: StopEnd) -> Stop | None:
    """End a stop, and return it; None if none is in force. Raises Retryable."""
    async with tool_transaction(conn, ending.tool_name or ALL_TOOLS, wait_ms=LOCK_TIMEOUT_MS):
        found = await end_each(conn, [ending])
    return next((each for each in found if each.ended_how != "expired"), None)


async def begin_each(conn: Connection, stops: Sequence[NewStop]) -> list[Stop]:
    """Begin stops in the transaction that holds the locks of their tools."""
    if not stops:
        return []
    await end_each(
        conn,
        [
            StopEnd(each.kind, each.tool_name, each.set_by, "replaced", each.code_hash)
            for each in stops
        ],
    )
    rows = await conn.fetchmany(_SQL["begin"], [each.row for each in stops])
    return [stop_in(row) for row in rows]


async def end_each(conn: Connection, endings: Sequence[StopEnd]) -> list[Stop]:
    """End stops in the transaction that holds the locks of their tools; return those that ended.

    One whose time was over has ended then, ``expired``.
    """
    if not endings:
        return []
    rows = await conn.fetch(
        _SQL["end"],
        [each.kind for each in endings],
        [each.tool_name or ALL_TOOLS for each in endings],
        [each.code_hash for each in endings],
        [each.by for each in endings],
        [each.how for each in endings],
    )
    return [stop_in(row) for row in rows]
