"""Pinning a tool: no machine rolls it back, a person still can."""

from datetime import datetime

from db.rollbacks import pins
from db.rollbacks.pins import Pin
from rollguard.operations.versions import connection
from schemas.errors import Rejected
from schemas.fields import storable
from schemas.settings import Settings


async def pin(settings: Settings, tool: str, reason: str, by: str, until: datetime | None) -> Pin:
    """Pin the tool, in place of a pin that it has. Rejected where it has no versions."""
    async with connection(settings) as conn:
        pinned = await pins.pin(conn, tool, storable(reason), storable(by), until)
    if pinned is None:
        raise Rejected(f"{tool!r} has no versions")
    return pinned


async def unpin(settings: Settings, tool: str) -> Pin:
    """Take the tool's pin away, and return it. Rejected where none is in force."""
    async with connection(settings) as conn:
        return _in_force(await pins.unpin(conn, tool), tool)


async def pin_of(settings: Settings, tool: str) -> Pin:
    """The tool's pin. Rejected where none is in force."""
    async with connection(settings) as conn:
        return _in_force((await pins.pins(conn, [tool])).get(tool), tool)


def _in_force(pin: Pin | None, tool: str) -> Pin:
    if pin is None:
        raise Rejected(f"{tool!r} is not pinned")
    return pin
