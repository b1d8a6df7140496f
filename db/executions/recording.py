"""The recording of executions: each is stored once and counted for its version."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Final, NamedTuple

from db.engines.executed import CurrentVersion, note_executed
from db.executions.verdicts import insert_verdicts
from db.postgres.errors import postgres_errors
from db.postgres.locks import bounded_transaction
from db.postgres.pool import Connection
from db.postgres.sql import blocks
from schemas.errors import Retryable
from schemas.execution import Activation
from schemas.execution_entry import ExecutionEntry
from schemas.failures.failure_classes import ErrorOrigin
from schemas.failures.kept_class import kept_class
from schemas.fields import time_of
from schemas.later_verdict import LaterVerdict
from schemas.settings import KeepErrors

_SQL: Final = blocks("executions/recording.sql")

_COLUMNS: Final = (
    *("execution_id", "tool_name", "version_id", "success", "error", "error_type", "executed_at"),
    *("duration_ms", "session_id", "caller", "input_hash", "cost", "log_offset"),
    *("error_origin", "stated_origin"),
)


class LogEntry(NamedTuple):
    """An entry of a partition and its offset."""

    offset: int
    entry: ExecutionEntry | Activation | LaterVerdict
    origin: ErrorOrigin | None = None
    """Whose failure it is, as the settings read it; None for anything but a failure."""


class AttributedExecution(NamedTuple):
    """An execution, its offset, and the version that it belongs to, if to any.

    ``current`` is what is current at its position in the log, if that was asked for and is known.
    """

    offset: int
    execution: ExecutionEntry
    version_id: int | None
    origin: ErrorOrigin | None
    current: CurrentVersion | None


class AddedCounts(NamedTuple):
    """What is added to the metrics of a version.

    ``executions`` are those that are judged: successes, and failures of the tool.
    """

    version_id: int
    tool_name: str
    executions: int
    successes: int
    caller_failures: int
    environment_failures: int


async def next_offset(conn: Connection, topic: str, partition: int) -> int:
    """Return the first offset of the partition that is not recorded yet; 0 if none is."""
    with postgres_errors():
        return await conn.fetchval(_SQL["next_offset"], topic, partition) or 0


async def record(
    conn: Connection,
    topic: str,
    partition: int,
    start: int,
    end: int,
    entries: Sequence[LogEntry],
    keep_errors: KeepErrors = "text",
) -> int:
    """Record the entries of [``start``, ``end``) of a partition, in one transaction.

    Return how many executions were new. ``entries`` are in the order of the log. Those that were
    recorded before are skipped, and so is an ``execution_id`` that is stored already of the same
    tool: it is neither stored nor counted again. An execution without a version belongs to the one
    that is current at its position in the log. Raises Retryable, also if another recorder has moved
    the offset of this partition meanwhile or has stored one of the ids: the next try finds it.
    With ``keep_errors`` ``class``, only the classes of errors are stored, and of later verdicts not
    why they were given.
    """
    if not all(start <= each.offset < end for each in entries):
        raise ValueError(f"an offset is not in [{start}, {end})")
    async with bounded_transaction(conn):
        done = await next_offset(conn, topic, partition)
        if done >= end:
            return 0
        if await conn.fetchval(_SQL["move_offset"], topic, partition, done, end) is None:
            raise Retryable("Postgres", f"another recorder is at work on {topic}/{partition}")
        executions = await _attribute(conn, [each for each in entries if each.offset >= done])
        new = await _not_stored(conn, executions)
        await _insert(conn, new, keep_errors)
        await note_executed(conn, sorted(new, key=attrgetter("offset")))
        await insert_verdicts(conn, _verdicts_in(entries, done), keep_errors)
        await _count(conn, _added(new))
        return len(new)


def _verdicts_in(entries: Iterable[LogEntry], since: int) -> list[tuple[int, LaterVerdict]]:
    """Return the verdicts from this offset on, each with its own."""
    return [
        (offset, entry)
        for offset, entry, _ in entries
        if offset >= since and isinstance(entry, LaterVerdict)
    ]


async def _attribute(conn: Connection, entries: Sequence[LogEntry]) -> list[AttributedExecution]:
    """Return the executions among the entries with their versions; remember the activations."""
    current = await _current(conn, entries)
    activated, adopted = set(), set()
    executions = []
    for offset, entry, origin in entries:
        tool = entry.tool_name
        known = current.get(tool)
        if isinstance(entry, ExecutionEntry):
            version_id = entry.version_id or (known.version_id if known else None)
            executions.append(AttributedExecution(offset, entry, version_id, origin, known))
        elif isinstance(entry, LaterVerdict):
            continue
        elif entry.adopts or known is None or known.activation < entry.activation:
            current[tool] = CurrentVersion(entry.version_id, entry.activation)
            activated.add(tool)
            if entry.adopts:
                adopted.add(tool)
    await _remember(conn, _SQL["adopt"], current, adopted)  # it may lower an activation
    await _remember(conn, _SQL["remember"], current, activated)
    return executions


async def _remember(
    conn: Connection, sql: str, current: Mapping[str, CurrentVersion], changed: Collection[str]
) -> None:
    """Store what is current of the tools that were changed."""
    tools = sorted(changed)
    if tools:
        versions, activations = zip(*(current[tool] for tool in tools), strict=True)
        await conn.execute(sql, tools, versions, activations)


async def _current(conn: Connection, entries: Iterable[LogEntry]) -> dict[str, CurrentVersion]:
    """Return what is current before these entries, by tool.

    Tools are left out if all of their executions name a version and no engine, and nothing is
    activated.
    """
    tools = {entry.tool_name for _, entry, _ in entries if _needs_current(entry)}
    if not tools:
        return {}
    rows = await conn.fetch(_SQL["current"], list(tools))
    return {row["tool_name"]: CurrentVersion(row["version_id"], row["activation"]) for row in rows}


def _needs_current(entry: ExecutionEntry | Activation | LaterVerdict) -> bool:
    if isinstance(entry, ExecutionEntry):
        return entry.version_id is None or entry.engine_id is not None
    return isinstance(entry, Activation)


async def _not_stored(
    conn: Connection, executions: Sequence[AttributedExecution]
) -> list[AttributedExecution]:
    """Return those that are not stored yet, in the order of their ids; of a repeated one the first.

    An id counts within its tool.
    """
    new: dict[tuple[int, str], AttributedExecution] = {}
    for each in executions:
        execution = each.execution
        new.setdefault((execution.execution_id.int, execution.tool_name), each)
    if not new:
        return []
    keys = sorted(new)
    tools = [tool for _, tool in keys]
    ids = [new[key].execution.execution_id for key in keys]
    await conn.execute(_SQL["read_by_index"])
    for tool, execution_id in await conn.fetch(_SQL["known"], tools, ids):
        del new[execution_id.int, tool]
    return [new[key] for key in keys if key in new]


async def _insert(
    conn: Connection, executions: Sequence[AttributedExecution], keep_errors: KeepErrors
) -> None:
    """Store the executions in the order of their ids.

    The order keeps two recorders from waiting for each other in a circle. An id that another one
    has stored meanwhile is Retryable (``db.postgres.errors``).
    """
    if executions:
        rows = [_row(each, keep_errors) for each in executions]
        await conn.copy_records_to_table("tool_executions", columns=_COLUMNS, records=rows)


def _row(attributed: AttributedExecution, keep_errors: KeepErrors) -> tuple[object, ...]:
    offset, execution, version_id, origin, _ = attributed
    if keep_errors == "text":
        error, error_type = execution.error, execution.error_type or execution.error_class
    else:
        error, error_type = None, kept_class(execution.error_type, execution.error)
    return (
        execution.execution_id,
        execution.tool_name,
        version_id,
        execution.success,
        error,
        error_type,
        time_of(execution.executed_us),
        execution.duration_ms,
        execution.session_id,
        execution.caller,
        execution.input_hash,
        execution.cost,
        offset,
        None if execution.success else origin or "tool",
        None if execution.success else execution.error_origin,
    )


def _added(executions: Sequence[AttributedExecution]) -> list[AddedCounts]:
    """Return what the executions add to the metrics of versions."""
    outcomes: dict[tuple[int, str], Counter[bool | ErrorOrigin]] = {}
    for _, execution, version_id, origin, _ in executions:
        if version_id is not None:
            outcome = execution.success or origin or "tool"
            outcomes.setdefault((version_id, execution.tool_name), Counter())[outcome] += 1
    return [
        AddedCounts(
            version_id,
            tool,
            counted[True] + counted["tool"],
            counted[True],
            counted["caller"],
            counted["environment"],
        )
        for (version_id, tool), counted in outcomes.items()
    ]


async def _count(conn: Connection, added: Sequence[AddedCounts]) -> None:
    """Add to the metrics of the versions, as far as they are versions of the named tool."""
    if added:
        await conn.execute(_SQL["lock_versions"], [each.version_id for each in added])
        await conn.execute(_SQL["count"], *zip(*added, strict=True))
