"""Executions: recorded once each, and counted for their versions."""

from collections.abc import Iterable, Sequence
from typing import Final

import asyncpg

from db.errors import postgres_errors
from db.locks import bounded_transaction
from db.pool import Connection
from db.sql import blocks
from schemas.errors import Retryable
from schemas.execution import Activation
from schemas.fields import time_of
from schemas.run import Run

_SQL: Final = blocks("executions.sql")

Entry = tuple[int, Run | Activation]
"""An offset and what stands there."""


async def next_offset(conn: Connection, topic: str, partition: int) -> int:
    """The first offset of the partition that is not recorded yet; 0 if nothing ever was."""
    with postgres_errors():
        return await conn.fetchval(_SQL["next_offset"], topic, partition) or 0


async def record(
    conn: Connection,
    topic: str,
    partition: int,
    start: int,
    end: int,
    entries: Sequence[Entry],
) -> int:
    """Record what stands in [``start``, ``end``) of a partition, in one transaction; return how
    many executions were new.

    ``entries`` are in the log's order; those recorded before are skipped, and so is an
    ``execution_id`` that is there already: it is neither stored nor counted again. An execution
    without version belongs to the one that is current at its place in the log. Raises Retryable,
    also when another recorder has moved this partition's offset meanwhile.
    """
    if not all(start <= offset < end for offset, _ in entries):
        raise ValueError(f"an offset is not in [{start}, {end})")
    async with bounded_transaction(conn):
        done = await next_offset(conn, topic, partition)
        if done >= end:
            return 0
        if await conn.fetchval(_SQL["move_offset"], topic, partition, done, end) is None:
            raise Retryable("Postgres", f"another recorder is at work on {topic}/{partition}")
        executions = await _attribute(conn, [entry for entry in entries if entry[0] >= done])
        if not executions:
            return 0
        return await _insert(conn, executions)


async def _attribute(
    conn: Connection, entries: Sequence[Entry]
) -> list[tuple[int, Run, int | None]]:
    """Offset, execution and version of each execution; activations are remembered."""
    current = await _current(conn, entries)
    activated = set()
    executions = []
    for offset, entry in entries:
        tool = entry.tool_name
        if isinstance(entry, Run):
            known = current.get(tool)
            version_id = entry.version_id or (known[0] if known else None)
            executions.append((offset, entry, version_id))
        elif tool not in current or current[tool][1] < entry.activation:
            current[tool] = (entry.version_id, entry.activation)
            activated.add(tool)
    tools = sorted(activated)
    if tools:
        versions, activations = zip(*(current[tool] for tool in tools), strict=True)
        await conn.execute(_SQL["remember"], tools, versions, activations)
    return executions


async def _current(conn: Connection, entries: Iterable[Entry]) -> dict[str, tuple[int, int]]:
    """Version and activation that are current in front of these entries, of the tools where it
    matters."""
    tools = {
        entry.tool_name
        for _, entry in entries
        if isinstance(entry, Activation) or entry.version_id is None
    }
    if not tools:
        return {}
    rows = await conn.fetch(_SQL["current"], list(tools))
    return {row["tool_name"]: (row["version_id"], row["activation"]) for row in rows}


async def _insert(conn: Connection, executions: list[tuple[int, Run, int | None]]) -> int:
    await conn.execute(_SQL["create_staging"])
    await conn.copy_records_to_table(
        "staged_executions",
        records=[_staged(*execution) for execution in executions],
        schema_name="pg_temp",
    )
    inserted = await conn.fetch(_SQL["insert_staged"])
    await _count(conn, [row for row in inserted if row["version_id"] is not None])
    return sum(row["executions"] for row in inserted)


def _staged(place: int, run: Run, version_id: int | None) -> tuple[object, ...]:
    return (
        place,
        run.execution_id,
        run.tool_name,
        version_id,
        run.success,
        run.error,
        run.error_type or run.error_class,
        time_of(run.executed_us),
        run.duration_ms,
        run.session_id,
    )


async def _count(conn: Connection, added: list[asyncpg.Record]) -> None:
    """Add to the metrics what was inserted, of the versions that are this tool's."""
    if not added:
        return
    await conn.execute(_SQL["lock_versions"], [row["version_id"] for row in added])
    columns = ("version_id", "tool_name", "executions", "successes")
    await conn.execute(_SQL["count"], *([row[name] for row in added] for name in columns))
