"""Pins: a pinned tool is not rolled back automatically; a person still can roll it back."""

from datetime import datetime

from db.postgres.pool import Connection
from db.stops.reading import stops_of_kind
from rollguard.operations.connection import connection
from rollguard.operations.stops import begin_stop, end_stop, name_in_database
from schemas.errors import Missing
from schemas.settings import Settings
from schemas.stops import Pin


async def pin(
    settings: Settings, tool: str | None, reason: str, by: str, until: datetime | None
) -> Pin:
    """Pin the tool, and return the pin. It replaces a pin that the tool has.

    If ``tool`` is None, all tools are pinned, also those that come later. ``reason`` and ``by``
    (who pins it) are kept and shown. The pin ends at ``until``, a time with an offset; if ``until``
    is None it stays until ``unpin``.

    Raises Rejected if the tool has no versions, ``by`` is no name or ``reason`` is too long, Locked
    if somebody else holds the tool (it says who), Retryable if Postgres does not answer,
    Misconfigured if it refuses or its schema is missing.
    """
    return Pin.of(await begin_stop(settings, "pin", tool, reason, by, until))


async def unpin(settings: Settings, tool: str | None, by: str) -> Pin:
    """End the tool's pin in the name of ``by``, and return it; None is the pin of all tools.

    Rejected if no such pin is in force. A tool that is pinned with all others stays pinned.
    """
    return Pin.of(await end_stop(settings, "pin", tool, by))


async def pin_of(where: Settings | Connection, tool: str | None) -> Pin:
    """Return the tool's pin, or else that of all tools. Missing if no pin is in force."""
    names = [name_in_database(each) for each in (tool, None)]
    async with connection(where) as conn:
        found = await stops_of_kind(conn, "pin", names)
    if not found:
        raise Missing("not all tools are pinned" if tool is None else f"{tool!r} is not pinned")
    return Pin.of(found[-1])


async def every_pin(settings: Settings) -> list[Pin]:
    """Return every pin that is in force, by tool; that of all tools comes first."""
    async with connection(settings) as conn:
        return [Pin.of(each) for each in await stops_of_kind(conn, "pin")]
