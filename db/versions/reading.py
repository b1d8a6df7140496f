"""The versions of each tool as they are read: the current ones, and the history with metrics."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import asyncpg

from db.postgres.errors import postgres_errors
from db.postgres.pool import Connection
from db.postgres.sql import blocks
from db.rollbacks.records import RollbackRecord, rollbacks_about
from schemas.deployment import ToolVersion
from schemas.execution import ActivatedBy
from schemas.fields import Time

_SQL: Final = blocks("versions/reading.sql")


class VersionRecord(ToolVersion):
    """A version with what became of it. ``success_rate`` is None until it was executed.

    ``trusted``: whether its code may be gone back to (:mod:`db.rollbacks.trust`). ``rollbacks`` are
    the commands to replace this version, applied or rejected, the oldest first.
    ``pruned_executions`` of ``total_executions`` were removed since they were counted.
    """

    success_rate: float | None
    total_executions: int
    successful_executions: int
    pruned_executions: int = 0
    deployment_count: int
    is_current: bool
    created_at: Time
    trusted: bool
    rollbacks: list[RollbackRecord]


async def current_version(conn: Connection, tool_name: str) -> ToolVersion | None:
    """The version of the tool that is current now; None for a tool without versions."""
    return (await current_versions(conn, [tool_name])).get(tool_name)


async def current_versions(conn: Connection, tool_names: Sequence[str]) -> dict[str, ToolVersion]:
    """The versions that are current now, by tool; tools without versions are missing."""
    with postgres_errors():
        rows = await conn.fetch(_SQL["current"], tool_names)
    return {row["tool_name"]: ToolVersion.model_validate(_fields(row)) for row in rows}


async def tools(conn: Connection) -> list[str]:
    """The names of all tools that have versions."""
    with postgres_errors():
        rows = await conn.fetch(_SQL["tools"])
    return [row["tool_name"] for row in rows]


async def activated_within(conn: Connection, span: timedelta) -> list[str]:
    """The tools whose current version was made current so short a time ago, by Postgres' clock."""
    with postgres_errors():
        rows = await conn.fetch(_SQL["activated_since"], span)
    return [row["tool_name"] for row in rows]


async def history(conn: Connection, tool_name: str, limit: int) -> list[VersionRecord]:
    """At most ``limit`` versions of the tool, the newest number first."""
    with postgres_errors():
        rows = await conn.fetch(_SQL["history"], tool_name, limit)
    return await _records(conn, tool_name, rows)


async def version(conn: Connection, tool_name: str, version_id: int) -> VersionRecord | None:
    """One version; None if this tool has none with this id."""
    if not possible_id(version_id):
        return None
    with postgres_errors():
        rows = await conn.fetch(_SQL["version"], tool_name, version_id)
    return next(iter(await _records(conn, tool_name, rows)), None)


def possible_id(version_id: int) -> bool:
    """Whether a version may have this id: what is asked for need not be one."""
    return 1 <= version_id < 2**31


async def _records(
    conn: Connection, tool_name: str, rows: Sequence[asyncpg.Record]
) -> list[VersionRecord]:
    """Versions with the commands about them, as they stand a moment later than the rows."""
    about = await rollbacks_about(conn, tool_name, [row["version_id"] for row in rows])
    return [
        VersionRecord.model_validate(_fields(row) | {"rollbacks": about.get(row["version_id"], [])})
        for row in rows
    ]


def _fields(row: asyncpg.Record) -> dict[str, Any]:
    """A row of `tool_versions` as the fields of the models above."""
    fields = dict(row)
    fields["activated_by"] = ActivatedBy(
        kind=fields.pop("activated_by_kind"), id=fields.pop("activated_by_id")
    )
    return fields
