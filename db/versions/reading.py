"""The versions of each tool as they are read: the current ones, and the history with metrics."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, Literal
from uuid import UUID

import asyncpg
from pydantic import Field

from db.postgres.errors import postgres_errors
from db.postgres.pool import Connection
from db.postgres.sql import blocks
from db.rollbacks.records import RollbackRecord, rollbacks_about
from db.stops.reading import stops_of
from db.versions.held import HeldDeployment, holds_among
from db.versions.verdicts import VerdictsOnVersion, verdicts_on
from policy.deployments.stops import was_in_force
from schemas.deployment import Check, ToolVersion
from schemas.execution import ActivatedBy
from schemas.fields import Time
from schemas.message import Message
from schemas.stops import Stop

_SQL: Final = blocks("versions/reading.sql")


class ActivationRecord(Message):
    """A time in which a version was current.

    ``began_at`` and ``ended_at`` are when Postgres was changed; ``ended_at`` is None while it is
    current. ``activated_by_name`` is the author or the person, or ``detector``.
    """

    activation: int
    activated_at: Time
    began_at: Time
    ended_at: Time | None
    activated_by_kind: Literal["deployment", "rollback"]
    activated_by_id: UUID
    activated_by_name: str | None
    reason: str | None


class ActivationOfTool(ActivationRecord):
    """An activation, and which version it made current."""

    version_id: int
    version_number: int


class VersionRecord(ToolVersion):
    """A version with its metrics and its rollbacks.

    ``success_rate`` is None until it is executed. ``trusted``: whether a rollback may return to its
    code (``db.rollbacks.trust``). ``activations`` are the times in which it was current, the oldest
    first. ``hold`` is its deployment while that waited for a person; None if it never did.
    ``rollbacks`` are the commands to replace this version, with any status, the oldest
    first. ``stops`` are the rejections of its code, and the other stops of the tool and of all
    tools that were in force while it was current, the oldest first. ``pruned_executions`` of
    ``total_executions`` were removed after they had been counted. ``total_executions`` are those
    that are judged: ``caller_failures`` and ``environment_failures`` are not among them.
    ``later_verdicts`` are those on its executions.
    """

    success_rate: float | None
    total_executions: int
    successful_executions: int
    pruned_executions: int = 0
    caller_failures: int = 0
    environment_failures: int = 0
    later_verdicts: VerdictsOnVersion = Field(default_factory=VerdictsOnVersion)
    deployment_count: int
    is_current: bool
    created_at: Time
    trusted: bool
    checks: list[Check]
    hold: HeldDeployment | None
    activations: list[ActivationRecord]
    rollbacks: list[RollbackRecord]
    stops: list[Stop]

    @property
    def not_judged(self) -> int:
        """How many failures are not the tool's."""
        return self.caller_failures + self.environment_failures

    @property
    def failures(self) -> int:
        """How many executions failed, whoever's failures they are."""
        return self.total_executions - self.successful_executions + self.not_judged


async def current_version(conn: Connection, tool_name: str) -> ToolVersion | None:
    """Return the version of the tool that is current now; None for a tool without versions."""
    return (await current_versions(conn, [tool_name])).get(tool_name)


async def current_versions(conn: Connection, tool_names: Sequence[str]) -> dict[str, ToolVersion]:
    """Return the versions that are current now, by tool; tools without versions are missing."""
    with postgres_errors():
        rows = await conn.fetch(_SQL["current"], tool_names)
    return {row["tool_name"]: ToolVersion.model_validate(_fields(row)) for row in rows}


async def tools(conn: Connection) -> list[str]:
    """Return the names of all tools that have versions."""
    with postgres_errors():
        rows = await conn.fetch(_SQL["tools"])
    return [row["tool_name"] for row in rows]


async def activated_within(conn: Connection, span: timedelta) -> list[str]:
    """Return the tools that were changed within the last ``span``, by the clock of Postgres."""
    with postgres_errors():
        rows = await conn.fetch(_SQL["activated_since"], span)
    return [row["tool_name"] for row in rows]


async def history(
    conn: Connection, tool_name: str, limit: int, before: int | None = None
) -> list[VersionRecord]:
    """Return at most ``limit`` versions of the tool, the greatest number first.

    With ``before`` only those with a smaller number.
    """
    with postgres_errors():
        rows = await conn.fetch(_SQL["history"], tool_name, limit, before)
    return await _records(conn, tool_name, rows)


async def newest_activations(
    conn: Connection, tool_name: str, limit: int
) -> list[ActivationOfTool]:
    """Return at most ``limit`` activations of the tool, the newest first."""
    with postgres_errors():
        rows = await conn.fetch(_SQL["newest_activations"], tool_name, limit)
    return [ActivationOfTool.model_validate(dict(row)) for row in rows]


async def version(conn: Connection, tool_name: str, version_id: int) -> VersionRecord | None:
    """Return one version; None if this tool has none with this id."""
    if not possible_id(version_id):
        return None
    with postgres_errors():
        rows = await conn.fetch(_SQL["version"], tool_name, version_id)
    return next(iter(await _records(conn, tool_name, rows)), None)


async def version_numbers(
    conn: Connection, tool_name: str, *, ids: Sequence[int] = (), numbers: Sequence[int] = ()
) -> dict[int, int]:
    """Return the numbers of the tool's versions that have one of the ids or numbers, by id."""
    with postgres_errors():
        rows = await conn.fetch(
            _SQL["numbers"],
            tool_name,
            *([each for each in given if possible_id(each)] for given in (ids, numbers)),
        )
    return {row["version_id"]: row["version_number"] for row in rows}


def possible_id(version_id: int) -> bool:
    """Whether a version may have this id: Postgres refuses a number that is no `int`."""
    return 1 <= version_id < 2**31


async def _records(
    conn: Connection, tool_name: str, rows: Sequence[asyncpg.Record]
) -> list[VersionRecord]:
    """Return the versions with their activations, and the commands and verdicts about them.

    Those, the stops and the deployments that were held are read a moment later.
    """
    ids = [row["version_id"] for row in rows]
    about = await rollbacks_about(conn, tool_name, ids)
    activations = await _activations(conn, tool_name, ids)
    stops = (await stops_of(conn, tool_name, ended=True))[::-1] if ids else []
    held = await holds_among(conn, tool_name, [row["deployment_id"] for row in rows])
    verdicts = await verdicts_on(conn, tool_name, ids)
    return [
        VersionRecord.model_validate(
            _fields(row)
            | {
                "activations": activations[row["version_id"]],
                "hold": held.get(row["deployment_id"]),
                "rollbacks": about.get(row["version_id"], []),
                "stops": _stops_about(stops, row["code_hash"], activations[row["version_id"]]),
                "later_verdicts": verdicts.get(row["version_id"], VerdictsOnVersion()),
            }
        )
        for row in rows
    ]


async def _activations(
    conn: Connection, tool_name: str, version_ids: Sequence[int]
) -> Mapping[int, list[ActivationRecord]]:
    with postgres_errors():
        rows = await conn.fetch(_SQL["activations"], tool_name, version_ids)
    found = defaultdict(list)
    for row in rows:
        found[row["version_id"]].append(ActivationRecord.model_validate(dict(row)))
    return found


def _stops_about(
    stops: Sequence[Stop], code_hash: str, activations: Sequence[ActivationRecord]
) -> list[Stop]:
    """Return the rejections of this code, and what was in force in one of the activations."""
    return [
        each
        for each in stops
        if each.code_hash == code_hash
        or (
            each.code_hash is None
            and any(was_in_force(each, time.began_at, time.ended_at) for time in activations)
        )
    ]


def _fields(row: asyncpg.Record) -> dict[str, Any]:
    """Return a row of `tool_versions` as the fields of ToolVersion and VersionRecord."""
    fields = dict(row)
    fields["activated_by"] = ActivatedBy(
        kind=fields.pop("activated_by_kind"), id=fields.pop("activated_by_id")
    )
    return fields
