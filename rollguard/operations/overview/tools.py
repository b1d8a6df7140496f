"""All tools at a glance: Postgres knows the versions, the detectors how they do."""

from collections.abc import Callable
from typing import Any, Literal

from db.versions.listing import ListedTool, listed_tools
from policy.decision.health import State
from rollguard.operations.connection import connection
from rollguard.operations.overview.detector import ask_detector
from schemas.errors import RollguardError
from schemas.settings import Settings


class ToolAtAGlance(ListedTool):
    """A tool with the state of its current version; see ``policy.decision.health.state_of``."""

    state: State | Literal["unknown"]
    """`unknown` if no detector says anything about the current activation."""
    reason: str | None
    """Why the version is condemned; None if it is not."""


async def tools_at_a_glance(
    settings: Settings, state: str | None, note: Callable[[str], None]
) -> list[ToolAtAGlance]:
    """Return all tools, or those with this state, by name.

    ``note`` is called with what is not known because a detector does not answer. Raises Retryable
    if Postgres does not answer, Misconfigured if it refuses or its schema is missing.
    """
    async with connection(settings) as conn:
        listed = await listed_tools(conn)
    states = await _states(settings, note) if listed else {}
    found = [_with_state(tool, states.get(tool.tool_name)) for tool in listed]
    return [tool for tool in found if state in (None, tool.state)]


async def _states(settings: Settings, note: Callable[[str], None]) -> dict[str, dict[str, Any]]:
    """Return what the detectors say, by tool."""
    try:
        answer = await ask_detector(settings, "/tools", note)
    except RollguardError as error:
        note(f"the states are not known: {error}")
        return {}
    for each in answer["unanswered"]:
        note(f"some states are not known: {each}")
    return {tool["tool_name"]: tool for tool in answer["tools"]}


def _with_state(tool: ListedTool, found: dict[str, Any] | None) -> ToolAtAGlance:
    """Return the tool with what a detector says; a detector may be behind Postgres, or ahead."""
    fields = tool.model_dump()
    if found is None or found["activation"] != tool.activation:
        return ToolAtAGlance.model_validate(fields | {"state": "unknown", "reason": None})
    return ToolAtAGlance.model_validate(
        fields | {"state": found["state"], "reason": found["reason"]}
    )
