"""The health of a tool's current version, asked of the detector, and what stops its rollback."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from rollguard.operations.overview.detector import DetectorClient, ask_detector
from rollguard.operations.overview.why_waiting import StopsAndWaits, stops_and_waits
from rollguard.printing import data_of
from schemas.errors import Rejected, RollguardError
from schemas.settings import Settings


async def health_of(
    settings: Settings | DetectorClient,
    tool: str,
    unchecked: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Return the windows of the tool's current version, and what the rules say of them.

    Any detector of this system can be asked: it passes the question on to the one that owns the
    tool. Raises Missing if the tool was never activated. For other errors and ``unchecked`` see
    ``rollguard.operations.overview.detector.DetectorClient.ask``.
    """
    if not tool:
        raise Rejected("tool: an empty name is not the name of a tool")
    path = f"/tools/{quote(tool, safe='')}/health"
    if isinstance(settings, DetectorClient):
        return await settings.ask(path, unchecked)
    return await ask_detector(settings, path, unchecked)


async def whole_health_of(
    settings: Settings, tool: str, note: Callable[[str], None]
) -> dict[str, Any]:
    """Ask the detector what it says, and Postgres for what stops the tool.

    That is what a rollback waits for (``waits_for``), which deployment waits for a person
    (``held_deployment``), the stops that are in force (``stops``), and how many engines run the
    current version (``engines``). If Kafka or Postgres does not answer, ``note`` is called with
    what is not known.
    """
    found = await health_of(settings, tool, note)
    try:
        return found | (await stops_and_waits(settings, found))._asdict()
    except RollguardError as error:
        note(without_stops(error))
    return found | dict.fromkeys(StopsAndWaits._fields)


def without_stops(error: RollguardError) -> str:
    """Return what is not known of the health of a tool because of this error."""
    return (
        "not known what the rollback waits for, what is held and stopped, and which engines run "
        f"it: {error}"
    )


def health_data(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the whole health as JSON has it."""
    stops = found["stops"]
    return {**found, "stops": stops and [data_of(each) for each in stops]}


def check_data(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return whether a rule demands a rollback, which, and what the rollback waits for."""
    names = ["needs_rollback", "tier", "reason", "details"]
    return {name: found[name] for name in names + ["waits_for"] * found["needs_rollback"]}
