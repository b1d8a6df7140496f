"""Tools at a glance: Postgres knows the versions, and the detectors the states."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from console.states import StatesNow
from db.postgres.pool import Connection
from db.stops.reading import stops_of_kind
from db.versions.listing import (
    ListedTool,
    current_activations,
    listed_tools,
    tools_with_held,
)

_AT_ONCE: Final = 1_000
"""Of so many tools Postgres is asked at once for those in a state. Mostly the first answer has
enough for a page."""
_UNKNOWN: Final[Mapping[str, Any]] = {"state": "unknown", "reason": None, "as_of": None}


class Wanted(NamedTuple):
    """Which tools are listed; a field that is None selects all."""

    part: str | None
    """A part of the name, in whatever case."""
    state: str | None
    after: str | None
    """The name after which the page begins."""
    limit: int
    pinned: bool = False
    """Only tools that are pinned, by themselves or with all tools."""
    held: bool = False
    """Only tools of which a rollback or a deployment waits for a person."""


class Page(NamedTuple):
    """Some tools by name, and the name after which the next page begins; None after the last."""

    tools: list[dict[str, Any]]
    next_after: str | None


async def tools_of_postgres(conn: Connection, states: StatesNow, wanted: Wanted) -> Page:
    """Return a page of the tools that have versions, with their states."""
    part, state, after, limit, *_ = wanted
    among = await _stopped(conn, wanted)
    if state is None:
        rows = await listed_tools(conn, after=after, among=among, part=part, limit=limit + 1)
    else:
        among = _both(among, states.few_in(state))
        names = await _in_state(conn, states, wanted, among)
        rows = await listed_tools(conn, among=names[: limit + 1])
    return _page([tool_now(row, states.of(row.tool_name, row.activation)) for row in rows], limit)


async def _in_state(
    conn: Connection, states: StatesNow, wanted: Wanted, among: list[str] | None
) -> list[str]:
    """Return names of tools in the state that is wanted: all, or at least one more than a page."""
    after, names = wanted.after, list[str]()
    while True:
        found = await current_activations(
            conn, after=after, among=among, part=wanted.part, limit=_AT_ONCE
        )
        names += [name for name, number in found if states.state_of(name, number) == wanted.state]
        if len(names) > wanted.limit or len(found) < _AT_ONCE:
            return names
        after = found[-1][0]


async def _stopped(conn: Connection, wanted: Wanted) -> list[str] | None:
    """Return the tools that are pinned and held as wanted; None if all tools are."""
    pinned: list[str] | None = None
    if wanted.pinned:
        names = [each.tool_name for each in await stops_of_kind(conn, "pin")]
        if None not in names:
            pinned = [name for name in names if name is not None]
    return _both(pinned, await tools_with_held(conn) if wanted.held else None)


def _both(some: list[str] | None, others: list[str] | None) -> list[str] | None:
    """Return what is in both lists; None stands for all names."""
    if some is None or others is None:
        return others if some is None else some
    return sorted(set(some).intersection(others))


def tools_of_stream(states: StatesNow, wanted: Wanted) -> Page:
    """Return a page of the tools that the detectors know, while Postgres does not answer."""
    part, state, after, limit, *_ = wanted
    if wanted.pinned or wanted.held:
        return Page([], None)  # the detectors do not know it
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
