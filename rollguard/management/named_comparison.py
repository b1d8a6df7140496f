"""The comparison of two versions that a person or an agent names."""

from typing import Any

from rollguard.management.tool_version_manager import ToolVersionManager
from rollguard.operations.versions import VersionName, version_id_of
from schemas.settings import Settings


async def compare_named(
    settings: Settings, tool: str, before: VersionName, after: VersionName
) -> dict[str, Any]:
    """Return what ``ToolVersionManager.compare_versions`` says of the two."""
    ids = [await version_id_of(settings, tool, name) for name in (before, after)]
    async with ToolVersionManager(settings) as manager:
        return await manager.compare_versions(tool, *ids)
