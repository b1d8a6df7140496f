"""What persons say against machines, in Postgres."""

from datetime import datetime

from rollguard.operations import pins, stops
from rollguard.operations.versions import VersionName
from rollguard.systems.direct.of_settings import OfSettings
from schemas.stops import Pin, Stop


class DirectStops(OfSettings):
    """What persons say against machines. A ``tool`` that is None stands for all tools."""

    async def pin(self, tool: str | None, reason: str, by: str, until: datetime | None) -> Pin:
        """Stop automatic rollbacks."""
        return await pins.pin(self.settings, tool, reason, by, until)

    async def unpin(self, tool: str | None, by: str) -> Pin:
        """Allow them again."""
        return await pins.unpin(self.settings, tool, by)

    async def pin_of(self, tool: str | None) -> Pin:
        """Return the pin of the tool, or else that of all tools."""
        return await pins.pin_of(self.settings, tool)

    async def pins(self) -> list[Pin]:
        """Return all pins that are in force, by tool."""
        return await pins.every_pin(self.settings)

    async def freeze(self, tool: str | None, reason: str, by: str, until: datetime | None) -> Stop:
        """Stop autonomous deployments."""
        return await stops.freeze(self.settings, tool, reason, by, until)

    async def unfreeze(self, tool: str | None, by: str) -> Stop:
        """Allow them again."""
        return await stops.unfreeze(self.settings, tool, by)

    async def resume(self, tool: str, by: str) -> Stop:
        """End the wait after a person's rollback."""
        return await stops.resume(self.settings, tool, by)

    async def reject(
        self, tool: str, version: VersionName, reason: str, by: str
    ) -> stops.RejectedVersion:
        """Reject the code of a version."""
        return await stops.reject(self.settings, tool, version, reason, by)

    async def all(self, tool: str | None, *, ended: bool, limit: int) -> list[Stop]:
        """Return the newest stops; with ``ended`` also those that are over."""
        return await stops.stops_of(self.settings, tool, ended=ended, limit=limit)
