"""Pins: a pinned tool is not rolled back by a machine, for a while or until the pin is removed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from db.postgres.errors import postgres_errors
from db.postgres.locks import LOCK_TIMEOUT_MS, tool_transaction
from db.postgres.pool import Connection
from db.postgres.sql import blocks
from schemas.fields import Time
from schemas.message import Message

_SQL: Final = blocks("rollbacks/pins.sql")


class Pin(Message):
    """A pin of a tool: why, by whom, since when, and until when (None: until it is removed)."""

    tool_name: str
    reason: str
    pinned_by: str
    pinned_at: Time
    expires_at: Time | None


async def pin(
    conn: Connection, tool_name: str, reason: str, pinned_by: str, expires_at: datetime | None
) -> Pin | None:
    """Pin the tool; a new pin replaces an old one. Return None for a tool without versions.

    A rollback that is decided at the same time comes either before the pin or after it. Raises
    Retryable.
    """
    async with tool_transaction(conn, tool_name, wait_ms=LOCK_TIMEOUT_MS):
        row = await conn.fetchrow(_SQL["pin"], tool_name, reason, pinned_by, expires_at)
    return None if row is None else Pin.model_validate(dict(row))


async def unpin(conn: Connection, tool_name: str) -> Pin | None:
    """Remove the pin of the tool and return it; None if none is in force. Raises Retryable."""
    async with tool_transaction(conn, tool_name, wait_ms=LOCK_TIMEOUT_MS):
        row = await conn.fetchrow(_SQL["unpin"], tool_name)
    return None if row is None else Pin.model_validate(dict(row))


async def pins(conn: Connection, tool_names: Sequence[str]) -> dict[str, Pin]:
    """Return the pins of these tools that are in force, by tool."""
    if not tool_names:
        return {}
    with postgres_errors():
        rows = await conn.fetch(_SQL["in_force"], tool_names)
    return {row["tool_name"]: Pin.model_validate(dict(row)) for row in rows}


async def all_pins(conn: Connection) -> list[Pin]:
    """Return every pin that is in force, by tool."""
    with postgres_errors():
        rows = await conn.fetch(_SQL["all"])
    return [Pin.model_validate(dict(row)) for row in rows]
