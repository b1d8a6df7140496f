"""Executions as they were recorded: of a version, or by their ids."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple, Self
from uuid import UUID

from asyncpg import Record

from db.postgres.errors import postgres_errors
from db.postgres.pool import Connection
from db.postgres.sql import blocks
from db.versions.reading import possible_id
from schemas.execution import Execution

_SQL: Final = blocks("executions/queries.sql")
MOST_LOOKED_AT: Final = 5_000
"""How many executions one page looks at for those that are wanted."""


class ExecutionRecord(Execution):
    """An execution as Postgres keeps it.

    It has the version that it belongs to, and the class of its error if that could be read.
    ``log_offset`` is its offset in its partition of the log; None if it was recorded before offsets
    were kept. ``error_origin`` of a failure is whose it was counted as when it was recorded.
    ``erased_at`` is when its error and identities were erased; None if they were not.
    """

    log_offset: int | None
    erased_at: datetime | None = None

    @classmethod
    def of(cls, row: Record) -> Self:
        """Return the execution in a row of `tool_executions`."""
        fields = dict(row)
        if not fields["success"]:
            fields["error_origin"] = fields["error_origin"] or "tool"
        return cls.model_validate(fields)


async def newest_executions(
    conn: Connection,
    tool_name: str,
    version_id: int,
    limit: int,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[ExecutionRecord]:
    """Return the newest ``limit`` executions of a version that are judged, the newest first.

    ``since`` <= ``executed_at`` <= ``until``. Of executions with the same ``executed_at``, the one
    with the greater offset is the newer one, and one without an offset is the oldest. Empty if this
    tool has no such version.
    """
    if not possible_id(version_id):
        return []
    with postgres_errors():
        rows = await conn.fetch(
            _SQL["newest_of_version"], tool_name, version_id, limit, since, until
        )
    return [ExecutionRecord.of(row) for row in rows]


class ExecutionsWanted(NamedTuple):
    """Which executions of a tool are listed; None selects all."""

    version_id: int | None = None
    success: bool | None = None


class AfterExecution(NamedTuple):
    """The execution after which a page begins."""

    executed_at: datetime
    execution_id: UUID


class ExecutionsPage(NamedTuple):
    """Some executions, the newest first, and where the next page begins; None after the last."""

    executions: list[ExecutionRecord]
    next_after: AfterExecution | None


async def executions_page(
    conn: Connection,
    tool_name: str,
    wanted: ExecutionsWanted,
    after: AfterExecution | None,
    limit: int,
) -> ExecutionsPage:
    """Return at most ``limit`` executions of a tool, from the one that comes ``after``.

    If ``wanted`` leaves some out, at most ``MOST_LOOKED_AT`` are looked at: a page may have fewer
    than ``limit``, or none, although others follow.
    """
    version_id, success = wanted
    if version_id is not None and not possible_id(version_id):
        return ExecutionsPage([], None)
    most = limit if success is None else MOST_LOOKED_AT
    given = [tool_name, *(after or (None, None)), most, success, limit]
    with postgres_errors():
        if version_id is None:
            rows = await conn.fetch(_SQL["page_of_tool"], *given)
        else:
            rows = await conn.fetch(_SQL["page_of_version"], *given, version_id)
    found = [ExecutionRecord.of(row) for row in rows if row["tool_name"] is not None]
    if len(found) == limit:
        return ExecutionsPage(found, AfterExecution(found[-1].executed_at, found[-1].execution_id))
    for row in rows[:1]:
        if row["looked_at"] == most:
            last = AfterExecution(row["looked_to"], row["looked_to_id"])
            return ExecutionsPage(found, last)
    return ExecutionsPage(found, None)


async def executions_by_id(
    conn: Connection, tool_name: str, ids: Sequence[UUID]
) -> list[ExecutionRecord]:
    """Return the recorded ones of these executions of a tool, ordered as in `newest_executions`."""
    with postgres_errors():
        rows = await conn.fetch(_SQL["by_id"], ids, tool_name)
    return [ExecutionRecord.of(row) for row in rows]


async def errors_of(conn: Connection, tool_name: str, ids: Sequence[UUID]) -> list[str]:
    """Return the errors of those of these executions of a tool that failed, the newest first.

    Executions that are not recorded or have no error text are left out.
    """
    with postgres_errors():
        return [row["error"] for row in await conn.fetch(_SQL["errors"], ids, tool_name)]
