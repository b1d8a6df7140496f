"""Two versions of a tool beside each other: the diff, what breaks, and the metrics."""

from typing import Any

from console.services import Services
from rollguard.operations.versions import VersionName, version_of


async def compared(services: Services, tool: str, source: str, target: str) -> dict[str, Any]:
    """Return the diff of two versions, what breaks for callers, the metrics and their change.

    A version is named by its id (``7``) or its number (``v2``). Missing if there is none.
    """
    async with services.postgres() as conn:
        before, after = [
            (await version_of(conn, tool, VersionName.of(each))).record for each in (source, target)
        ]
    return await services.manager.compare_records(before, after)
