"""The calls around rollbacks: how many failed before and after, and whom that concerns.

Executions of one version are read by an index, and at most so many of each.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple, Self

import asyncpg

from db.postgres.errors import postgres_errors
from db.postgres.pool import Connection
from db.postgres.sql import blocks
from policy.rollbacks.costs import Calls, CallsAround
from schemas.rollback import CommandKey

_SQL: Final = blocks("rollbacks/costs.sql")

MOST_OF_ONE: Final = 5_000
"""How many calls of a version are read for one rollback."""
MOST_OF_EACH: Final = 500
"""How many are read for each of several rollbacks."""
MOST_NAMED: Final = 20
"""How many sessions, and how many callers, are named."""
AFTERWARDS: Final = timedelta(days=1)
"""For how long the calls after a rollback are counted."""


class CallSpan(NamedTuple):
    """The times between which the calls around a rollback lie.

    ``began_at`` is None for the first activation of the version, to which all earlier executions
    belong, and ``replaced_at`` and ``late_until`` while it is current.
    """

    tool_name: str
    from_version_id: int
    to_version_id: int | None
    began_at: datetime | None
    issued_at: datetime
    replaced_at: datetime | None
    late_until: datetime | None
    after_until: datetime | None
    is_applied: bool

    @classmethod
    def of(cls, row: asyncpg.Record) -> Self:
        """Return the span in a row."""
        return cls(*(row[name] for name in cls._fields))


class Concerned(NamedTuple):
    """A session or a caller that calls failed for; ``name`` is None for those without a name."""

    kind: Literal["session", "caller"]
    name: str | None
    failures: int
    last_at: datetime
    named: int
    """How many sessions, or callers, there are with a name."""


class CallsInPart(NamedTuple):
    """The calls of a version in one of the parts of a span of time."""

    version_id: int
    part: int
    executions: int
    failures: int


async def call_spans(
    conn: Connection, commands: Sequence[CommandKey]
) -> dict[CommandKey, CallSpan]:
    """Return the spans of these commands; of one that names no version of its tool nothing."""
    if not commands:
        return {}
    with postgres_errors():
        rows = await conn.fetch(_SQL["spans"], *zip(*commands, strict=True), AFTERWARDS)
    names = CommandKey._fields
    return {CommandKey(*(row[name] for name in names)): CallSpan.of(row) for row in rows}


async def calls_around(
    conn: Connection, spans: Sequence[CallSpan], most: int = MOST_OF_EACH
) -> list[CallsAround]:
    """Return the calls of each span, in their order; of each part at most ``most``."""
    if not spans:
        return []
    with postgres_errors():
        rows = await conn.fetch(_SQL["calls"], *zip(*spans, strict=True), most)
    return [_calls(row, most) for row in rows]


async def concerned_by(conn: Connection, span: CallSpan) -> list[Concerned]:
    """Return whom the failed calls of a span concern, of each kind the most concerned first."""
    times = (span.began_at, span.replaced_at, span.late_until)
    given = (span.tool_name, span.from_version_id, *times)
    with postgres_errors():
        rows = await conn.fetch(_SQL["affected"], *given, MOST_OF_ONE, MOST_NAMED)
    return [Concerned(*row) for row in rows]


async def calls_by_parts(
    conn: Connection, span: CallSpan, begin: datetime, end: datetime, parts: int
) -> list[CallsInPart]:
    """Return the calls between two times, in parts of equal length; parts without calls miss."""
    middle = span.replaced_at or end
    given = (span.tool_name, span.from_version_id, span.to_version_id, begin, middle, end)
    length_s = (end - begin) / parts / timedelta(seconds=1)
    with postgres_errors():
        rows = await conn.fetch(_SQL["around"], *given, MOST_OF_ONE, length_s, parts)
    return [CallsInPart(*row) for row in rows]


def _calls(row: asyncpg.Record, most: int) -> CallsAround:
    before, waiting, late, after = (
        Calls(row[f"executions_{name}"], row[f"failures_{name}"])
        for name in ("before", "waiting", "late", "after")
    )
    return CallsAround(
        before,
        waiting,
        late,
        after,
        is_cut=most in (row["looked_at"], row["looked_at_late"]),
        is_after_cut=row["looked_at_after"] == most,
    )
