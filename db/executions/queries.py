"""Executions as they were recorded: what a version is judged by, and what a decision rests on."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from db.postgres.errors import postgres_errors
from db.postgres.pool import Connection
from db.postgres.sql import blocks
from db.versions.reading import possible_id
from schemas.execution import Execution

_SQL: Final = blocks("executions/queries.sql")


class ExecutionRecord(Execution):
    """An execution as Postgres keeps it: with the version that it belongs to, and the class of its
    error where that could be read.

    ``log_offset`` is its place in its partition of the log; None where it was recorded before
    places were kept.
    """

    log_offset: int | None


async def newest_executions(
    conn: Connection,
    tool_name: str,
    version_id: int,
    limit: int,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[ExecutionRecord]:
    """The newest ``limit`` executions of a version with ``since`` <= ``executed_at`` <= ``until``.

    The newest first; of the same ``executed_at`` the one later in the log is the newer, and one
    without a place there the oldest. Empty if this tool has no such version.
    """
    if not possible_id(version_id):
        return []
    with postgres_errors():
        rows = await conn.fetch(
            _SQL["newest_of_version"], tool_name, version_id, limit, since, until
        )
    return [ExecutionRecord.model_validate(dict(row)) for row in rows]


async def executions_by_id(conn: Connection, ids: Sequence[UUID]) -> list[ExecutionRecord]:
    """Those of these executions that are recorded, in the order of :func:`newest_executions`."""
    with postgres_errors():
        rows = await conn.fetch(_SQL["by_id"], ids)
    return [ExecutionRecord.model_validate(dict(row)) for row in rows]


async def errors_of(conn: Connection, ids: Sequence[UUID]) -> list[str]:
    """What those of these executions that failed came to, as far as they are recorded and say it;
    the newest first.
    """
    with postgres_errors():
        return [row["error"] for row in await conn.fetch(_SQL["errors"], ids)]
