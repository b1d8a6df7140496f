"""What waits: a rollback that a rule demands, and a deployment for a person."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from db.postgres.pool import Connection
from db.rollbacks.facts import automatic_rollbacks
from db.rollbacks.records import RollbackRecord, rollback_of
from db.stops.reading import ALL_TOOLS, stops_of, stops_of_kind
from db.versions.held import held_deployments
from policy.deployments.stops import lasting_longest
from policy.rollbacks.rollback_limits import cooldown_end
from rollguard.operations.connection import connection
from rollguard.operations.overview.engines import engine_counts
from rollguard.value_texts import hold_text, time_text
from schemas.fields import parse_time
from schemas.rollback import CommandKey
from schemas.rules.rules import Rules
from schemas.settings import Settings
from schemas.stops import Pin, Stop


class StopsAndWaits(NamedTuple):
    """What Postgres adds to the health of a tool."""

    waits_for: str | None
    """What the rollback waits for that the health demands; None if it demands none."""
    held_deployment: dict[str, Any] | None
    """The deployment that waits for a person."""
    stops: list[Stop]
    """Those in force, of the tool and of all tools."""
    engines: dict[str, int]
    """How many engines run the current version, another one, or cannot load it."""


async def stops_and_waits(
    settings: Settings, health: Mapping[str, Any], given: Connection | None = None
) -> StopsAndWaits:
    """Return what stops a tool, what waits, and its engines. ``health`` is the detector's answer.

    One connection is used for all of it. Raises Retryable if Postgres does not answer,
    Misconfigured if it refuses.
    """
    async with connection(given or settings) as conn:
        return StopsAndWaits(
            await _why_waiting(conn, settings, health),
            await _held_deployment_of(conn, health["tool_name"]),
            await stops_of(conn, health["tool_name"]),
            await engine_counts(settings, health["tool_name"], conn),
        )


async def _why_waiting(
    conn: Connection, settings: Settings, health: Mapping[str, Any]
) -> str | None:
    """Return what the rollback waits for that ``health`` demands; None if it demands none."""
    if not health["needs_rollback"]:
        return None
    tool, rules = health["tool_name"], settings.rules_of(health["tool_name"])
    pins = await stops_of_kind(conn, "pin", [ALL_TOOLS, tool])
    pin = Pin.of(lasting_longest(pins)) if pins else None
    if health["command_id"] is None:
        return waiting_text(health, pin, None, [], rules)
    record = await rollback_of(
        conn, CommandKey(tool, UUID(health["command_id"]), is_automatic=True)
    )
    near: Mapping[str, list[datetime]] = {}
    if record is not None:
        near = await automatic_rollbacks(conn, [(tool, record.issued_at, rules)])
    return waiting_text(health, pin, record, near.get(tool, []), rules)


async def _held_deployment_of(conn: Connection, tool: str) -> dict[str, Any] | None:
    """Return the deployment of the tool that waits for a person; None if there is none."""
    for held in await held_deployments(conn, tool):
        return held.model_dump(
            include={"deployment_id", "held_at", "expires_at", "findings"}, mode="json"
        )
    return None


def waiting_text(
    health: Mapping[str, Any],
    pin: Pin | None,
    record: RollbackRecord | None,
    rollbacks: Sequence[datetime],
    rules: Rules,
) -> str:
    """Return what the rollback waits for.

    ``record`` is what came of the newest command about this activation, None if nothing yet.
    ``rollbacks`` are the automatic rollbacks that count for the limits of that command.
    """
    if health["mode"] == "observe":
        return "nothing: a dry run, the decision is only published"
    if pin is not None:
        until = time_text(pin.expires_at) if pin.expires_at else "it is unpinned"
        return f"pinned{' with all tools' * (pin.tool_name is None)} until {until}"
    if health["command_id"] is None:
        return "the next failure: no command was issued yet"
    if record is None:
        return f"the applier, which has not decided command {health['command_id']} yet"
    if record.status == "held":
        until = f" until {time_text(record.expires_at)}" if record.expires_at else ""
        why = f" ({hold_text(record.hold_reason)})" if record.hold_reason else ""
        return f"held: a person's answer to command {record.command_id}{until}{why}"
    if record.status == "applied":
        return "the detector, which has not read yet that the rollback was carried out"
    if record.rejection == "outage":
        return "outage: many tools failed at once; a new command if it still fails afterwards"
    next_attempt = time_text(parse_time(health["next_attempt_at"]))
    return f"{_rejected(record, rollbacks, rules)}; next attempt at {next_attempt}"


def _rejected(record: RollbackRecord, rollbacks: Sequence[datetime], rules: Rules) -> str:
    """Return why the newest command was rejected."""
    match record.rejection:
        case "budget":
            return (
                f"budget: {rules.rollback_budget} automatic rollbacks "
                f"within {rules.rollback_budget_s} s"
            )
        case "cooldown":
            end = cooldown_end(rollbacks, record.issued_at, rules)
            return f"cooldown until {time_text(end)}" if end else "cooldown"
        case "dismissed":
            grown = f"the odds have grown {rules.dismissal_growth:g} times, or when "
            when = (grown if rules.policy == "guarded" else "") + "an immediate rule holds"
            return f"dismissed by {record.dismissed_by}: a new command when {when}"
        case "no_previous_version":
            return "no_previous_version: no trusted version to roll back to"
        case "pinned":
            return "the pin was removed"
        case _:
            return f"{record.rejection or record.status}"
