"""Which engine runs which version: what engines say, and what they were seen to execute."""

from collections import Counter
from datetime import datetime
from typing import Final

from db.engines.listing import AfterEngine, EngineRow, engines
from db.postgres.pool import Connection
from policy.engines import EngineState, state_of
from rollguard.operations.connection import connection
from schemas.message import Message
from schemas.settings import Settings

_COUNTED: Final[tuple[EngineState, ...]] = ("current", "stale", "failed")


class EngineOfTool(Message):
    """An engine and a tool that it runs, compared with the current version of the tool."""

    tool_name: str
    engine_id: str
    state: EngineState
    """See ``policy.engines.state_of``."""
    version_id: int
    """The version that the engine runs; if its state is `failed`, the one that it cannot load."""
    version_number: int | None
    current_version_id: int
    current_version_number: int
    current_activation: int
    stale_executions: int
    """How many executions since the current activation were of another version."""
    error: str | None
    error_type: str | None
    """Why the version cannot be loaded."""
    loaded_at: datetime | None
    """None if the engine reports nothing."""
    heard_at: datetime
    """When it was heard last."""


async def engines_of(
    settings: Settings,
    tool_name: str | None,
    given: Connection | None = None,
    *,
    after: AfterEngine | None = None,
    limit: int | None = None,
    maybe_stale: bool = False,
) -> list[EngineOfTool]:
    """Return the engines of a tool, or of all tools, by tool and engine.

    All of them are returned, or at most ``limit`` of those that come ``after`` this one. With
    ``maybe_stale`` many are left out that run the current version, but not all.

    Raises Retryable if Postgres does not answer, Misconfigured if it refuses or its schema is
    missing.
    """
    async with connection(given or settings) as conn:
        silent_s = settings.engine_silent_s
        rows = await engines(
            conn, tool_name, silent_s, after=after, limit=limit, maybe_stale=maybe_stale
        )
    return [_of_row(row) for row in rows]


async def engine_counts(
    settings: Settings, tool_name: str, given: Connection | None = None
) -> dict[str, int]:
    """Return how many engines of the tool are `current`, `stale` and `failed`; raises as above."""
    states = Counter(each.state for each in await engines_of(settings, tool_name, given))
    return {state: states[state] for state in _COUNTED}


def _of_row(row: EngineRow) -> EngineOfTool:
    reported, executed = row.reported, row.executed
    state = state_of(row.current_version_id, row.current_activation, reported, executed)
    is_seen = executed is not None and (
        reported is None or (executed.began_at > reported.loaded_at and state != "failed")
    )
    return EngineOfTool.model_validate(
        {
            "tool_name": row.tool_name,
            "engine_id": row.engine_id,
            "state": state,
            "version_id": row.executed_version_id if is_seen else row.reported_version_id,
            "version_number": (
                row.executed_version_number if is_seen else row.reported_version_number
            ),
            "current_version_id": row.current_version_id,
            "current_version_number": row.current_version_number,
            "current_activation": row.current_activation,
            "stale_executions": (
                row.stale_executions or 0
                if executed is not None and executed.activation == row.current_activation
                else 0
            ),
            "error": row.error,
            "error_type": row.error_type,
            "loaded_at": row.loaded_at,
            "heard_at": max(
                each for each in (row.reported_at, row.executed_at) if each is not None
            ),
        }
    )
