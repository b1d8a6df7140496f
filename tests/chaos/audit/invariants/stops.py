"""Invariant: what a person said against machines held, and is remembered.

Of the stops of all tools only those are looked at that an outcome names: a decision that had begun
before one of them may not have known it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg

from schemas.deployment import DeploymentOutcome
from tests.chaos.audit.final_state import FinalState
from tests.chaos.audit.invariants.violation import Violation

_STORED_WITHIN: Final = timedelta(seconds=5)
_NEVER: Final = datetime.max.replace(tzinfo=UTC)
_STOPS_DEPLOYMENTS: Final = ("freeze", "wait", "rejection")

_Stops = Mapping[str, Sequence[asyncpg.Record]]
"""The stops of each tool."""


class _Change(NamedTuple):
    """A version that a machine has made current, and when that was decided."""

    tool: str
    what: str
    code_hash: str | None
    at: datetime
    kinds: tuple[str, ...]
    """The stops that should have stopped it."""


def broken_stops(state: FinalState) -> Iterator[Violation]:
    """Yield what machines did against a stop, wrong refusals, and waits that are missing."""
    stops: dict[str, list[asyncpg.Record]] = defaultdict(list)
    for stop in state.tables["stops"]:
        stops[stop["tool_name"]].append(stop)
    for change in (*_deployed(state), *_rolled_back(state)):
        for stop in stops[change.tool]:
            if stop["kind"] in change.kinds and _concerns(stop, change):
                text = f"although {stop['kind']} of {stop['began_at']} was in force"
                yield Violation("stops", change.tool, change.what, text)
    yield from _wrong_refusals(state, stops)
    yield from _wrong_waits(state)


def _concerns(stop: asyncpg.Record, change: _Change) -> bool:
    is_about = stop["code_hash"] in (None, change.code_hash)
    return is_about and _was_in_force(stop, change.at)


def _was_in_force(stop: asyncpg.Record, at: datetime) -> bool:
    ends = stop["ended_at"] or _NEVER, stop["expires_at"] or _NEVER
    return bool(stop["began_at"] <= at < min(ends))


def _deployed(state: FinalState) -> Iterator[_Change]:
    outcomes = _outcomes(state)
    approved = {
        (row["tool_name"], row["deployment_id"])
        for row in state.tables["held_deployments"]
        if row["status"] == "approved"
    }
    for row in state.tables["versions"]:
        if row["created_by"] == "autonomous":
            deployment = row["tool_name"], row["deployment_id"]
            outcome = outcomes[deployment]
            yield _Change(
                row["tool_name"],
                f"deployment {row['deployment_id']}",
                row["code_hash"],
                outcome.applied_at,
                # what a person has approved, only a person's word about this code stops
                ("rejection",) if deployment in approved else _STOPS_DEPLOYMENTS,
            )


def _rolled_back(state: FinalState) -> Iterator[_Change]:
    hashes = {row["version_id"]: row["code_hash"] for row in state.tables["versions"]}
    for row in state.tables["rollbacks"]:
        if row["status"] == "applied" and row["tier"] != "manual":
            yield _Change(
                row["tool_name"],
                f"rollback {row['command_id']}",
                hashes[row["to_version_id"]],
                row["applied_at"],
                ("pin", "rejection") if row["approved_by"] is None else ("rejection",),
            )


def _wrong_refusals(state: FinalState, stops: _Stops) -> Iterator[Violation]:
    """Yield refusals whose stop nobody has begun, or that had ended before."""
    for (tool, deployment_id), outcome in _outcomes(state).items():
        said = outcome.stopped
        if said is None:
            continue
        known = [
            stop
            for stop in stops.get(said.tool_name or "", ())
            if (stop["kind"], stop["began_at"]) == (said.kind, said.began_at)
            and _ended_at(stop) >= outcome.applied_at
        ]
        if len(known) != 1:
            text = f"{outcome.refusal} by {len(known)} stops: {said}"
            yield Violation("stops", tool, f"deployment {deployment_id}", text)


def _ended_at(stop: asyncpg.Record) -> datetime:
    """Return until when the stop may refuse: what is decided in time is stored a little later.

    A person cannot end a stop of the tool in between, but it may expire, and one of all tools may
    end.
    """
    ended_at: datetime = stop["ended_at"] or _NEVER
    is_locked = stop["tool_name"] != "" and stop["ended_how"] != "expired"
    return ended_at if is_locked or ended_at == _NEVER else ended_at + _STORED_WITHIN


def _wrong_waits(state: FinalState) -> Iterator[Violation]:
    """Yield rollbacks of people after which machines should have waited once, and did not."""
    waits = Counter(
        (stop["tool_name"], stop["command_id"])
        for stop in state.tables["stops"]
        if stop["kind"] == "wait"
    )
    expected = Counter(
        (row["tool_name"], row["command_id"])
        for row in state.tables["rollbacks"]
        if (row["status"], row["tier"]) == ("applied", "manual")
        and state.settings.rules.policy == "guarded"
    )
    for tool, command_id in (waits - expected) + (expected - waits):
        found = f"{waits[tool, command_id]} waits, not {expected[tool, command_id]}"
        yield Violation("stops", tool, f"rollback {command_id}", found)


def _outcomes(state: FinalState) -> dict[tuple[str, UUID], Any]:
    return {
        (row["tool_name"], row["deployment_id"]): DeploymentOutcome.model_validate_json(
            row["outcome"]
        )
        for row in state.tables["deployments"]
    }
