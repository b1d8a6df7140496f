"""Stops as they are read: those that concern deployments, and lists for people."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import asyncpg

from db.postgres.errors import postgres_errors
from db.postgres.pool import Connection
from db.postgres.sql import blocks
from policy.deployments.stops import as_of
from schemas.stops import Stop, StopKind

ALL_TOOLS: Final = ""
"""What the column `tool_name` has if a stop is about all tools."""

_SQL: Final = blocks("stops/reading.sql")


class StopsNow(NamedTuple):
    """The stops that have not ended, and the time of Postgres."""

    stops: Sequence[Stop]
    now: datetime


class StoppedTools(NamedTuple):
    """How many tools each kind of stop concerns."""

    pinned: int
    frozen: int
    waiting: int


async def stops_of_deployments(
    conn: Connection, code: Sequence[tuple[str, str]]
) -> dict[str, StopsNow]:
    """Return the stops about these tools and their code, those of all tools included, by tool.

    ``code`` has one pair of tool and code hash for each tool. Tools without stops are missing. Read
    them in the transaction that holds the locks of the tools for changes: a stop of one of these
    tools then comes either before or after it.
    """
    rows = await conn.fetch(_SQL["of_deployments"], *zip(*code, strict=True))
    found = defaultdict(list)
    for row in rows:
        found[row["asked_tool"]].append(stop_in(row))
    return {tool: StopsNow(stops, rows[0]["now"]) for tool, stops in found.items()}


async def stops_of(
    conn: Connection, tool_name: str | None, *, ended: bool = False, limit: int | None = None
) -> list[Stop]:
    """Return the stops of the tool and of all tools, the newest first; without a tool all stops.

    Those that are in force, or with ``ended`` the others, too.
    """
    with postgres_errors():
        rows = await conn.fetch(_SQL["page"], tool_name, None, ended, None, None, limit)
    return [as_of(stop_in(row), row["now"]) for row in rows]


class StopsWanted(NamedTuple):
    """Which stops are listed; None selects all."""

    tool_name: str | None = None
    """Those of this tool and those of all tools."""
    kind: StopKind | None = None
    ended: bool = False
    """Those that have ended, too."""


class AfterStop(NamedTuple):
    """The stop after which a page begins."""

    began_at: datetime
    stop_id: int


class StopsPage(NamedTuple):
    """Some stops, and where the next page begins; None after the last one."""

    stops: Sequence[Stop]
    next_after: AfterStop | None


async def stops_page(
    conn: Connection, wanted: StopsWanted, after: AfterStop | None, limit: int
) -> StopsPage:
    """Return at most ``limit`` stops, the newest first, from the one that comes ``after``."""
    with postgres_errors():
        rows = await conn.fetch(_SQL["page"], *wanted, *(after or (None, None)), limit + 1)
    shown, last = rows[:limit], None
    if len(rows) > limit:
        last = AfterStop(shown[-1]["began_at"], shown[-1]["stop_id"])
    return StopsPage([as_of(stop_in(row), row["now"]) for row in shown], last)


async def stops_of_kind(
    conn: Connection, kind: StopKind, tool_names: Sequence[str] | None = None
) -> list[Stop]:
    """Return the stops of this kind that are in force, by tool; all tools come first.

    With ``tool_names`` only those that name one of these tools (``ALL_TOOLS``: all of them).
    """
    with postgres_errors():
        rows = await conn.fetch(_SQL["of_kind"], kind, tool_names)
    return [stop_in(row) for row in rows]


async def stopped_tools(conn: Connection) -> StoppedTools:
    """Return how many tools are pinned, frozen, or wait."""
    with postgres_errors():
        row = await conn.fetchrow(_SQL["count_tools"])
    assert row is not None, "an aggregate has a row"
    return StoppedTools(**row)


def stop_in(row: asyncpg.Record) -> Stop:
    """Read a row of `stops`, perhaps with other columns."""
    fields: dict[str, Any] = {
        name: row[name]
        for name in Stop.model_fields
        if name in row.keys()  # noqa: SIM118
    }
    return Stop.model_validate(fields | {"tool_name": row["tool_name"] or None})
