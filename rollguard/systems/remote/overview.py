"""Everything at a glance, asked of a console."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pydantic import TypeAdapter

from rollguard.operations.overview.engines import EngineOfTool
from rollguard.operations.overview.tools import ToolAtAGlance
from rollguard.systems.remote.reading import Answers, any_of, one
from rollguard.systems.system import Note
from rollguard_client.http.console import in_path
from schemas.errors import Rejected, Retryable
from schemas.stops import Stop

if TYPE_CHECKING:
    from rollguard.operations.overview.status import SystemStatus

_NOT_HEALTH: Final = "notes"


class RemoteOverview:
    """Everything at a glance, and the health of one tool."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    async def tools(self, state: str | None, note: Note) -> list[ToolAtAGlance]:
        """Return all tools, or those in this state, by name."""
        found: list[ToolAtAGlance] = []
        notes: list[str] = []
        async for page in self._answers.all_pages("/tools", "tools", state=state):
            found += self._answers.understood(_tools_of, page)
            notes += page["notes"]
        for each in dict.fromkeys(notes):
            note(each)
        return found

    async def engines(self, tool: str | None, *, stale: bool = False) -> list[EngineOfTool]:
        """Return which engine runs which version of each tool; with ``stale`` only old ones."""
        only = "true" if stale else None
        return await self._answers.items("/engines", "engines", EngineOfTool, tool=tool, stale=only)

    async def status(self) -> "SystemStatus":
        """Return how brokers, Postgres and the roles do."""
        from rollguard.operations.overview.status import SystemStatus

        kind = TypeAdapter(SystemStatus)
        return await self._answers.get("/system", lambda data: any_of(kind, data))

    async def health(self, tool: str, note: Note) -> dict[str, Any]:
        """Return what the rules say of the current version, and what stops its rollback."""
        if not tool:
            raise Rejected("tool: an empty name is not the name of a tool")
        found = await self._answers.get(f"/tools/{in_path(tool)}/health", _health_of)
        for each in found.pop(_NOT_HEALTH):
            note(each)
        return found


def _tools_of(page: Mapping[str, Any]) -> list[ToolAtAGlance]:
    if page["source"] != "postgres":  # of these tools only their states are known
        cause = str(page["notes"][0]).removeprefix("Postgres: ").partition("; only what")[0]
        raise Retryable("Postgres", cause)
    return [one(ToolAtAGlance, each) for each in page["tools"]]


def _health_of(data: Mapping[str, Any]) -> dict[str, Any]:
    stops = data["stops"]
    return {**data, "stops": stops and [one(Stop, each) for each in stops]}
