"""Bad records that were published again: each is claimed first, so that it happens once at most."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

from db.postgres.errors import postgres_errors
from db.postgres.pool import Connection
from db.postgres.sql import blocks

_SQL: Final = blocks("replays.sql")


class RecordPosition(NamedTuple):
    """The position of a record: the partition is an `int` of Postgres, the offset a `bigint`."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}:{self.partition}:{self.offset}"


class Replay(NamedTuple):
    """When a record was published again, and its new position.

    The position is None if the broker did not acknowledge the record: then it may have been
    appended or not.
    """

    at: datetime
    to: RecordPosition | None


async def claim(conn: Connection, position: RecordPosition) -> bool:
    """Claim the record at this position to publish it again; False if it was claimed before."""
    with postgres_errors():
        return await conn.fetchval(_SQL["claim"], *position) is not None


async def published(
    conn: Connection, position: RecordPosition, partition: int, offset: int
) -> None:
    """Remember the new position of the claimed record."""
    with postgres_errors():
        await conn.execute(_SQL["published"], *position, partition, offset)


async def give_back(conn: Connection, position: RecordPosition) -> None:
    """Give up the claim of a record that was certainly not published: it may be claimed again."""
    with postgres_errors():
        await conn.execute(_SQL["give_back"], *position)


async def replays(
    conn: Connection, positions: Iterable[RecordPosition]
) -> dict[RecordPosition, Replay]:
    """Return those of these positions whose records were claimed."""
    columns = list(zip(*positions, strict=True)) or [(), (), ()]
    with postgres_errors():
        rows = await conn.fetch(_SQL["among"], *columns)
    found = {}
    for row in rows:
        position = RecordPosition(row["topic"], row["partition"], row["log_offset"])
        to = None
        if row["to_offset"] is not None:
            to = RecordPosition(row["topic"], row["to_partition"], row["to_offset"])
        found[position] = Replay(row["replayed_at"], to)
    return found


async def changed_at(conn: Connection, tool_name: str) -> datetime | None:
    """Return when the current version of the tool became current, by the clock of Postgres.

    None for a tool without versions.
    """
    with postgres_errors():
        changed: datetime | None = await conn.fetchval(_SQL["changed_at"], tool_name)
    return changed
