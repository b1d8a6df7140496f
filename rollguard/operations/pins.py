"""Pins: a pinned tool is not rolled back automatically; a person still can roll it back."""

from datetime import datetime

from db.rollbacks import pins
from db.rollbacks.pins import Pin
from rollguard.operations.connection import connection
from rollguard.person_name import valid_name
from schemas.errors import Rejected
from schemas.fields import storable
from schemas.settings import Settings


async def pin(settings: Settings, tool: str, reason: str, by: str, until: datetime | None) -> Pin:
    """Pin the tool, and return the pin. It replaces a pin that the tool has.

    ``reason`` and ``by`` (who pins it) are kept and shown. The pin ends at ``until``, a time with
    an offset; if ``until`` is None it stays until ``unpin``.

    Raises Rejected if the tool has no versions or ``by`` is no name, Retryable if Postgres does not
    answer, Misconfigured if it refuses or its schema is missing.
    """
    by = valid_name(by, "by")
    async with connection(settings) as conn:
        pinned = await pins.pin(conn, tool, storable(reason), by, until)
    if pinned is None:
        raise Rejected(f"{tool!r} has no versions; deploy one before you pin it")
    return pinned


async def unpin(settings: Settings, tool: str) -> Pin:
    """Remove the tool's pin, and return it. Rejected if no pin is in force."""
    async with connection(settings) as conn:
        return _in_force(await pins.unpin(conn, tool), tool)


async def pin_of(settings: Settings, tool: str) -> Pin:
    """Return the tool's pin. Rejected if no pin is in force."""
    async with connection(settings) as conn:
        return _in_force((await pins.pins(conn, [tool])).get(tool), tool)


async def every_pin(settings: Settings) -> list[Pin]:
    """Return every pin that is in force, by tool."""
    async with connection(settings) as conn:
        return await pins.all_pins(conn)


def _in_force(pin: Pin | None, tool: str) -> Pin:
    if pin is None:
        raise Rejected(f"{tool!r} is not pinned")
    return pin
