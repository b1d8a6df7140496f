"""Tools: a page of the list of all, one of them, and its health."""

from http import HTTPStatus
from typing import Any, Final, Literal, NamedTuple

from console.api.problems import ProblemError
from console.services import Services
from console.states import StatesNow
from console.tools_now import Wanted, tool_now, tools_of_postgres, tools_of_stream, with_state
from db.stops.reading import stops_of
from db.versions.listing import listed_tools
from rollguard.operations.overview.health import health_of, without_stops
from rollguard.operations.overview.why_waiting import StopsAndWaits, stops_and_waits
from rollguard.operations.versions import current_of
from schemas.errors import Misconfigured, Missing, Retryable, RollguardError

_UNAVAILABLE: Final = HTTPStatus.SERVICE_UNAVAILABLE


class ListedPage(NamedTuple):
    """A page of the list of all tools."""

    tools: list[dict[str, Any]]
    next_after: str | None
    """The name after which the next page begins; None after the last."""
    notes: list[str]
    """What is not known now, and why."""
    source: Literal["postgres", "stream"]
    """`stream` if Postgres does not answer: then only what the detectors know is listed."""
    states: StatesNow


async def tools_page(services: Services, wanted: Wanted) -> ListedPage:
    """Return a page of the tools that are wanted. Raises if neither side answers."""
    states = await services.states.get()
    notes = list(states.notes)
    try:
        async with services.postgres() as conn:
            page = await tools_of_postgres(conn, states, wanted)
    except RollguardError as error:
        if not states.by_tool:
            raise
        notes.insert(0, f"{error}; only what the detectors know is listed")
        return ListedPage(*tools_of_stream(states, wanted), notes, "stream", states)
    return ListedPage(*page, notes, "postgres", states)


async def health_now(services: Services, tool: str, notes: list[str]) -> dict[str, Any] | None:
    """Return what the detector says of a tool; None if it says nothing, and ``notes`` says why."""
    try:
        return await health_of(services.detector, tool, notes.append)
    except Missing:
        return None  # it was never activated, or the detector has not read that yet
    except RollguardError as error:
        notes.append(f"the state is not known: {error}")
        return None


async def one_tool(
    services: Services, tool: str, health: dict[str, Any] | None, notes: list[str]
) -> dict[str, Any]:
    """Return a tool with its current version and what stops it.

    If Postgres does not answer, it is what ``health`` says, and ``notes`` says so. Raises if there
    is no health either.
    """
    try:
        return await _of_postgres(services, tool, health)
    except (Retryable, Misconfigured) as error:
        if health is None:
            raise
        notes.insert(0, f"{error}; only what the detector knows is shown")
        return _of_stream(health)


async def _of_postgres(
    services: Services, tool: str, health: dict[str, Any] | None
) -> dict[str, Any]:
    async with services.postgres() as conn:
        version = (await current_of(conn, tool)).record
        [row] = await listed_tools(conn, among=[tool])
        stops = await stops_of(conn, tool)
    is_known = health is not None and health["activation"] == row.activation
    return tool_now(row, health if is_known else None) | {
        "version": version.model_dump(mode="json"),
        "stops": [each.model_dump(mode="json") for each in stops],
    }


def _of_stream(health: dict[str, Any]) -> dict[str, Any]:
    names = ("tool_name", "version_id", "version_number", "activation", "activated_at")
    return {name: health[name] for name in names} | with_state(health)


async def whole_health(services: Services, tool: str) -> dict[str, Any]:
    """Return the health of a tool, and what its rollback waits for, what is held, and its engines.

    Those are None if Postgres does not answer, and ``notes`` says so. ProblemError, with what
    Postgres knows, if no detector answers.
    """
    notes: list[str] = []
    try:
        found = await health_of(services.detector, tool, notes.append)
    except (Retryable, Misconfigured) as error:
        known = await _known(services, tool)
        if known is None:
            raise
        raise ProblemError(
            _UNAVAILABLE, str(error), "unavailable", part="detector", known=known
        ) from error
    return found | await waits_of(services, found, notes) | {"notes": notes}


async def waits_of(services: Services, health: dict[str, Any], notes: list[str]) -> dict[str, Any]:
    """Return what Postgres adds to the health of a tool.

    All of it is None if it does not answer, and a note is added.
    """
    try:
        async with services.postgres() as conn:
            waits = await stops_and_waits(services.settings, health, conn)
    except (Retryable, Misconfigured) as error:
        notes.append(without_stops(error))
        return dict.fromkeys(StopsAndWaits._fields)
    return waits._asdict() | {"stops": [each.model_dump(mode="json") for each in waits.stops]}


async def _known(services: Services, tool: str) -> dict[str, Any] | None:
    """Return what Postgres knows of a tool; None if it knows nothing, or does not answer."""
    try:
        async with services.postgres() as conn:
            for row in await listed_tools(conn, among=[tool]):
                return tool_now(row, None)
    except (Retryable, Misconfigured):
        pass
    return None
