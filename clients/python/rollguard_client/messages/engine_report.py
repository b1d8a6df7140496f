"""Reports of engines: which version of a tool each of them has loaded, or could not load."""

from typing import ClassVar

from rollguard_client.messages.fields import Count, EngineId, Time, ToolName, VersionId
from rollguard_client.messages.message import Message


def report_key(engine_id: str, tool_name: str) -> bytes:
    """Return the key of the reports of an engine about a tool.

    It names both, because compaction keeps the newest record of each key.
    """
    return f"{engine_id}/{tool_name}".encode()


class EngineReport(Message, frozen=True, kw_only=True):
    """What an engine says when it has loaded a version, and from time to time after that."""

    error_texts: ClassVar[tuple[str, ...]] = ("error", "error_type")
    without_nul: ClassVar[tuple[str, ...]] = ("tool_name",)
    times: ClassVar[tuple[str, ...]] = ("loaded_at",)

    engine_id: EngineId
    tool_name: ToolName
    version_id: VersionId
    version_number: Count
    activation: Count
    """The activation of the tool that the engine has learned of."""
    ok: bool
    """Whether the version could be loaded."""
    error: str | None = None
    """Why it could not be loaded."""
    error_type: str | None = None
    """The class of that exception."""
    loaded_at: Time
    """When it was loaded; the same in each report about this load."""
