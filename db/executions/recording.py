"""Executions: recorded once each, and counted for their versions."""

from collections.abc import Iterable, Sequence
from typing import Final

from db.postgres.errors import postgres_errors
from db.postgres.locks import bounded_transaction
from db.postgres.pool import Connection
from db.postgres.sql import blocks
from schemas.errors import Retryable
from schemas.execution import Activation
from schemas.execution_entry import ExecutionEntry
from schemas.fields import time_of

_SQL: Final = blocks("executions/recording.sql")

_COLUMNS: Final = (
    *("execution_id", "tool_name", "version_id", "success", "error", "error_type", "executed_at"),
    *("duration_ms", "session_id", "caller", "input_hash", "log_offset"),
)

Entry = tuple[int, ExecutionEntry | Activation]
"""An offset and what stands there."""
Attributed = tuple[int, ExecutionEntry, int | None]
"""An execution, in front of it its offset, behind it the version that it belongs to."""
Added = tuple[int, str, int, int]
"""Version, tool, and how many executions of it and successes among them."""


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
    also when another recorder has moved this partition's offset meanwhile, or stored one of the
    ids: the next try finds it.
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
        new = await _unknown(conn, executions)
        await _insert(conn, new)
        await _count(conn, _added(new))
        return len(new)


async def _attribute(conn: Connection, entries: Sequence[Entry]) -> list[Attributed]:
    """The executions among the entries; activations are remembered."""
    current = await _current(conn, entries)
    activated = set()
    executions = []
    for offset, entry in entries:
        tool = entry.tool_name
        if isinstance(entry, ExecutionEntry):
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
    matters.
    """
    tools = {
        entry.tool_name
        for _, entry in entries
        if isinstance(entry, Activation) or entry.version_id is None
    }
    if not tools:
        return {}
    rows = await conn.fetch(_SQL["current"], list(tools))
    return {row["tool_name"]: (row["version_id"], row["activation"]) for row in rows}


async def _unknown(conn: Connection, executions: Sequence[Attributed]) -> list[Attributed]:
    """Those whose ids are not stored yet, in the order of the ids; of each id the first."""
    by_id: dict[int, Attributed] = {}
    for execution in executions:
        by_id.setdefault(execution[1].execution_id.int, execution)
    if by_id:
        await conn.execute(_SQL["read_by_index"])
        ids = [run.execution_id for _, run, _ in by_id.values()]
        for known in await conn.fetch(_SQL["known"], ids):
            del by_id[known["execution_id"].int]
    return [by_id[number] for number in sorted(by_id)]


async def _insert(conn: Connection, executions: Sequence[Attributed]) -> None:
    """Store them in the order of their ids, so that two recorders never wait for each other in a
    circle. An id that another one has stored since is Retryable (``db.postgres.errors``).
    """
    if executions:
        rows = [_row(*execution) for execution in executions]
        await conn.copy_records_to_table("tool_executions", columns=_COLUMNS, records=rows)


def _row(offset: int, run: ExecutionEntry, version_id: int | None) -> tuple[object, ...]:
    return (
        run.execution_id,
        run.tool_name,
        version_id,
        run.success,
        run.error,
        run.error_type or run.error_class,
        time_of(run.executed_us),
        run.duration_ms,
        run.session_id,
        run.caller,
        run.input_hash,
        offset,
    )


def _added(executions: Sequence[Attributed]) -> list[Added]:
    """What they add to versions."""
    outcomes: dict[tuple[int, str], list[bool]] = {}
    for _, run, version_id in executions:
        if version_id is not None:
            outcomes.setdefault((version_id, run.tool_name), []).append(run.success)
    return [(*of, len(each), sum(each)) for of, each in outcomes.items()]


async def _count(conn: Connection, added: Sequence[Added]) -> None:
    """Add to the metrics, of the versions that are this tool's."""
    if added:
        columns = list(zip(*added, strict=True))
        await conn.execute(_SQL["lock_versions"], columns[0])
        await conn.execute(_SQL["count"], *columns)
