"""Which bad records were published again: claimed before, so that each is at most once."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

from db.postgres.errors import postgres_errors
from db.postgres.pool import Connection
from db.postgres.sql import blocks

_SQL: Final = blocks("replays.sql")


class RecordPosition(NamedTuple):
    """Where a record stands. The partition fits into an int of Postgres, the offset a bigint."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}:{self.partition}:{self.offset}"


class Replay(NamedTuple):
    """When a record was published again, and where it stands now: None where the broker did not
    acknowledge it, and it may be there or not.
    """

    at: datetime
    to: RecordPosition | None


async def claim(conn: Connection, place: RecordPosition) -> bool:
    """Take it on to publish the record of this place again; False where someone did before."""
    with postgres_errors():
        return await conn.fetchval(_SQL["claim"], *place) is not None


async def published(conn: Connection, place: RecordPosition, partition: int, offset: int) -> None:
    """Remember where the claimed record stands now."""
    with postgres_errors():
        await conn.execute(_SQL["published"], *place, partition, offset)


async def give_back(conn: Connection, place: RecordPosition) -> None:
    """The claimed record was not published, for certain: it may be claimed again."""
    with postgres_errors():
        await conn.execute(_SQL["give_back"], *place)


async def replays(
    conn: Connection, places: Iterable[RecordPosition]
) -> dict[RecordPosition, Replay]:
    """Those of these places whose record was claimed."""
    columns = list(zip(*places, strict=True)) or [(), (), ()]
    with postgres_errors():
        rows = await conn.fetch(_SQL["among"], *columns)
    found = {}
    for row in rows:
        place = RecordPosition(row["topic"], row["partition"], row["log_offset"])
        to = None
        if row["to_offset"] is not None:
            to = RecordPosition(row["topic"], row["to_partition"], row["to_offset"])
        found[place] = Replay(row["replayed_at"], to)
    return found


async def changed_at(conn: Connection, tool_name: str) -> datetime | None:
    """When the tool's current version was made current, by the clock of Postgres; None for a tool
    without versions.
    """
    with postgres_errors():
        changed: datetime | None = await conn.fetchval(_SQL["changed_at"], tool_name)
    return changed
