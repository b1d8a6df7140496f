"""Everything at a glance, asked of detectors, Kafka and Postgres."""

from typing import TYPE_CHECKING, Any

from rollguard.systems.direct.of_settings import OfSettings
from rollguard.systems.system import Note

if TYPE_CHECKING:
    from rollguard.operations.overview.engines import EngineOfTool
    from rollguard.operations.overview.status import SystemStatus
    from rollguard.operations.overview.tools import ToolAtAGlance


class DirectOverview(OfSettings):
    """Everything at a glance, and the health of one tool. Each question imports what it needs."""

    async def tools(self, state: str | None, note: Note) -> "list[ToolAtAGlance]":
        """Return all tools, or those in this state, by name."""
        from rollguard.operations.overview.tools import tools_at_a_glance

        return await tools_at_a_glance(self.settings, state, note)

    async def engines(self, tool: str | None, *, stale: bool = False) -> "list[EngineOfTool]":
        """Return which engine runs which version of each tool; with ``stale`` only old ones."""
        from rollguard.operations.overview.engines import engines_of

        found = await engines_of(self.settings, tool, maybe_stale=stale)
        return [each for each in found if not stale or each.state == "stale"]

    async def status(self) -> "SystemStatus":
        """Return how brokers, Postgres and the roles do."""
        from rollguard.operations.overview.status import system_status

        return await system_status(self.settings)

    async def health(self, tool: str, note: Note) -> dict[str, Any]:
        """Return what the rules say of the current version, and what stops its rollback."""
        from rollguard.operations.overview.health import whole_health_of

        return await whole_health_of(self.settings, tool, note)
