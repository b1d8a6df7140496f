"""The last executions of all tools before a time, as far as they are recorded.

They show whether many tools failed at once, in whatever partitions they are.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from db.postgres.errors import postgres_errors
from db.postgres.pool import Connection
from db.postgres.sql import blocks

_SQL: Final = blocks("executions/lately.sql")

MOST_TOOLS: Final = 128
"""At most so many tools are looked at: they are a sample if there are more."""


class LastExecution(NamedTuple):
    """The last execution of a tool within a span, and the counts of all versions of the tool."""

    failed: bool
    producer: str
    executions: int
    failures: int


async def last_executions(
    conn: Connection, times: Collection[datetime], span: timedelta
) -> Mapping[datetime, list[LastExecution]]:
    """Return, for each time, the last execution of each tool within the span before it.

    Only tools count whose current version has succeeded.
    """
    if not times:
        return {}
    with postgres_errors():
        rows = await conn.fetch(_SQL["newest"], list(times), span, MOST_TOOLS)
    found = defaultdict(list)
    for row in rows:
        found[row["at"]].append(LastExecution(*(row[name] for name in LastExecution._fields)))
    return found


async def failed_for_others(
    conn: Connection, at: datetime, span: timedelta, producer: str
) -> list[bool]:
    """Return whether the last execution of each tool failed, of those by other producers."""
    with postgres_errors():
        rows = await conn.fetch(_SQL["of_others"], at, span, MOST_TOOLS, producer)
    return [row["failed"] for row in rows]
