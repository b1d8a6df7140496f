"""Everything that was recorded, in the order of the log, for backtests."""

from collections.abc import AsyncGenerator, AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final

import asyncpg

from db.postgres.errors import postgres_errors
from db.postgres.pool import Connection
from db.postgres.sql import blocks
from policy.backtest.placed_activations import CommittedActivation
from schemas.execution import ActivatedBy, Activation
from schemas.execution_entry import ExecutionEntry
from schemas.fields import micros_of

_SQL: Final = blocks("executions/log_export.sql")

_AT_ONCE: Final = 5_000


@asynccontextmanager
async def one_moment(conn: Connection) -> AsyncIterator[None]:
    """Read everything inside as it was at one moment: in one read-only transaction."""
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        yield


async def committed_activations(
    conn: Connection, tools: Collection[str] | None
) -> list[CommittedActivation]:
    """Return the activations of these tools, or of all, with the times of their commits.

    The activations of each tool are in their order.
    """
    with postgres_errors():
        rows = await conn.fetch(_SQL["activations"], None if tools is None else list(tools))
    return [CommittedActivation(_activation(row), micros_of(row["began_at"])) for row in rows]


async def executions_in_order(
    conn: Connection,
    tools: Collection[str] | None,
    since: datetime | None,
    until: datetime | None,
) -> AsyncGenerator[list[ExecutionEntry], None]:
    """Yield the executions with ``since`` <= ``executed_at`` <= ``until``, thousands at a time.

    They are those of these tools, or of all. Call it within ``one_moment``. The order is that
    of their offsets, which is the order within each partition. Executions that were recorded before
    offsets were kept come first, by ``executed_at``. ``error`` is read for
    exception groups alone, because of their leaves; of all others ``error_type`` is enough.
    ``error_origin`` is what the producer said: whoever judges the log reads the rest by lists of
    their own.
    """
    wanted = None if tools is None else list(tools)
    with postgres_errors():
        # without a name, because a pooler keeps one beyond the transaction
        statement = await conn.prepare(_SQL["executions"], name="")
        cursor = await statement.cursor(wanted, since, until)
        while rows := await cursor.fetch(_AT_ONCE):
            yield [_execution(row) for row in rows]


def _activation(row: asyncpg.Record) -> Activation:
    is_breaking = row["activated_by_kind"] == "deployment" and row["is_breaking_change"]
    return Activation(
        tool_name=row["tool_name"],
        version_id=row["version_id"],
        version_number=row["version_number"],
        previous_version_id=row["previous_version_id"],
        code_hash=row["code_hash"],
        activation=row["activation"],
        activated_at=row["activated_at"],
        activated_by=ActivatedBy(kind=row["activated_by_kind"], id=row["activated_by_id"]),
        is_breaking_change=is_breaking or None,
    )


def _execution(row: asyncpg.Record) -> ExecutionEntry:
    execution_id, tool_name, success, version_id, error_type, *calls, executed_at, error = row
    session_id, caller, input_hash, stated_origin = calls
    return ExecutionEntry(
        execution_id,
        tool_name,
        success,
        "",
        version_id,
        error,
        error_type,
        session_id=session_id,
        caller=caller,
        input_hash=input_hash,
        error_origin=stated_origin,
        executed_us=micros_of(executed_at),
    )
