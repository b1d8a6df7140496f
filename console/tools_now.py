"""Tools at a glance: Postgres knows the versions, and the detectors the states."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from console.states import StatesNow
from db.postgres.pool import Connection
from db.versions.listing import ListedTool, current_activations, listed_tools

_UNKNOWN: Final[Mapping[str, Any]] = {"state": "unknown", "reason": None, "as_of": None}


class Wanted(NamedTuple):
    """Which tools are listed; a field that is None selects all."""

    part: str | None
    """A part of the name, in whatever case."""
    state: str | None
    after: str | None
    """The name after which the page begins."""
    limit: int


class Page(NamedTuple):
    """Some tools by name, and the name after which the next page begins; None after the last."""

    tools: list[dict[str, Any]]
    next_after: str | None


async def tools_of_postgres(conn: Connection, states: StatesNow, wanted: Wanted) -> Page:
    """Return a page of the tools that have versions, with their states."""
    part, state, after, limit = wanted
    if state is None:
        rows = await listed_tools(conn, after=after, part=part, limit=limit + 1)
    else:
        found = await current_activations(conn, after=after, among=states.few_in(state), part=part)
        names = [name for name, number in found if states.state_of(name, number) == state]
        rows = await listed_tools(conn, among=names[: limit + 1])
    return _page([tool_now(row, states.of(row.tool_name, row.activation)) for row in rows], limit)


def tools_of_stream(states: StatesNow, wanted: Wanted) -> Page:
    """Return a page of the tools that the detectors know, while Postgres does not answer."""
    part, state, after, limit = wanted
    found = [
        {"tool_name": name, "version_id": each["version_id"], "activation": each["activation"]}
        | with_state(each)
        for name, each in sorted(states.by_tool.items())
        if (after is None or name > after)
        and (part is None or part.lower() in name.lower())
        and state in (None, each["state"])
    ]
    return _page(found, limit)


def tool_now(row: ListedTool, state: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a tool of Postgres with what a detector says of its current activation."""
    return row.model_dump(mode="json") | with_state(state)


def with_state(found: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what a detector says of a tool: state, reason, and how new it is."""
    return {name: (found or _UNKNOWN)[name] for name in _UNKNOWN}


def _page(found: list[dict[str, Any]], limit: int) -> Page:
    more = len(found) > limit
    shown = found[:limit]
    return Page(shown, shown[-1]["tool_name"] if more else None)
