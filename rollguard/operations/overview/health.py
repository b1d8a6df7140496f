"""The health of a tool's current version, asked of the detector."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from rollguard.operations.overview.detector import ask_detector
from schemas.errors import Rejected
from schemas.settings import Settings


async def health_of(
    settings: Settings, tool: str, unchecked: Callable[[str], None] | None = None
) -> dict[str, Any]:
    """Return the windows of the tool's current version, and what the rules say of them.

    Any detector of this system can be asked: it passes the question on to the one that owns the
    tool. Raises Rejected if the tool was never activated. For other errors and ``unchecked`` see
    ``rollguard.operations.overview.detector.ask_detector``.
    """
    if not tool:
        raise Rejected("tool: an empty name is not the name of a tool")
    return await ask_detector(settings, f"/tools/{quote(tool, safe='')}/health", unchecked)
