"""What is believed of what engines say: only versions that exist, and not any number of engines."""

from collections.abc import Collection
from typing import Final

from db.postgres.pool import Connection
from db.postgres.sql import blocks

MAX_ENGINES: Final = 1_000
"""How many engines of a tool are kept, about. Whoever may write may invent engines."""

_SQL: Final = blocks("engines/believed.sql")


async def unknown_versions(
    conn: Connection, named: Collection[tuple[str, int]]
) -> set[tuple[str, int]]:
    """Return those of these tools and versions where the tool has no such version."""
    if not named:
        return set()
    tools, versions = zip(*set(named), strict=True)
    return set(named) - {tuple(row) for row in await conn.fetch(_SQL["known"], tools, versions)}
