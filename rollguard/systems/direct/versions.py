"""The versions of tools, by Kafka and Postgres."""

from typing import Any
from uuid import UUID

from rollguard.operations import versions
from rollguard.operations.versions import FoundVersion, ToolHistory, VersionName
from rollguard.systems.direct.of_settings import OfSettings
from rollguard.systems.system import NewVersion


class DirectVersions(OfSettings):
    """The versions of tools."""

    async def deploy(self, tool: str, new: NewVersion, deployment_id: UUID) -> FoundVersion:
        """Deploy code, wait for the outcome, and return the version that is current then."""
        return await versions.deploy(self.settings, tool, *new, deployment_id=deployment_id)

    async def current(self, tool: str) -> FoundVersion:
        """Return the current version."""
        return await versions.current_of(self.settings, tool)

    async def named(self, tool: str, name: VersionName) -> FoundVersion:
        """Return one version."""
        return await versions.version_of(self.settings, tool, name)

    async def id_of(self, tool: str, name: VersionName) -> int:
        """Return the id of a version. One that is named by its id need not exist."""
        return await versions.version_id_of(self.settings, tool, name)

    async def number_of(self, tool: str, version_id: int) -> int | None:
        """Return the number of a version; None if it is not known."""
        return await versions.version_number_of(self.settings, tool, version_id)

    async def history(self, tool: str, limit: int) -> ToolHistory:
        """Return the newest versions and held deployments."""
        return await versions.history_of(self.settings, tool, limit)

    async def compare(self, tool: str, before: VersionName, after: VersionName) -> dict[str, Any]:
        """Return what leads from one version to the other."""
        from rollguard.management.named_comparison import compare_named

        return await compare_named(self.settings, tool, before, after)
