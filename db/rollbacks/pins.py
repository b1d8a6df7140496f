"""Pins: tools that no machine rolls back, for a while or until the pin is taken away."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from db.postgres.errors import postgres_errors
from db.postgres.locks import tool_transaction
from db.postgres.pool import Connection
from db.postgres.sql import blocks
from schemas.fields import Time
from schemas.message import Message

_SQL: Final = blocks("rollbacks/pins.sql")


class Pin(Message):
    """Why a tool is pinned, by whom and since when; until ``expires_at``, None without end."""

    tool_name: str
    reason: str
    pinned_by: str
    pinned_at: Time
    expires_at: Time | None


async def pin(
    conn: Connection, tool_name: str, reason: str, pinned_by: str, expires_at: datetime | None
) -> Pin | None:
    """Pin the tool, in place of a pin that it has; None for a tool without versions.

    A rollback that is under way comes before or behind it. Raises Retryable.
    """
    async with tool_transaction(conn, tool_name):
        row = await conn.fetchrow(_SQL["pin"], tool_name, reason, pinned_by, expires_at)
    return None if row is None else Pin.model_validate(dict(row))


async def unpin(conn: Connection, tool_name: str) -> Pin | None:
    """Take the tool's pin away, and return it; None where none is in force. Raises Retryable."""
    async with tool_transaction(conn, tool_name):
        row = await conn.fetchrow(_SQL["unpin"], tool_name)
    return None if row is None else Pin.model_validate(dict(row))


async def pins(conn: Connection, tool_names: Sequence[str]) -> dict[str, Pin]:
    """The pins of these tools that are in force, by tool."""
    if not tool_names:
        return {}
    with postgres_errors():
        rows = await conn.fetch(_SQL["in_force"], tool_names)
    return {row["tool_name"]: Pin.model_validate(dict(row)) for row in rows}
