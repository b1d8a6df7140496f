"""What engines execute: the newest version of each, and how many executions are stale.

An execution is stale if its version was not the current one at its position in the log.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Protocol

from db.engines.believed import MAX_ENGINES, unknown_versions
from db.postgres.pool import Connection
from db.postgres.sql import blocks
from schemas.execution_entry import ExecutionEntry
from schemas.fields import time_of

_SQL: Final = blocks("engines/executed.sql")
_LONGEST_MS: Final = 86_400_000.0
"""No execution is taken to have begun more than a day before its end."""


class CurrentVersion(NamedTuple):
    """The version that is current at some position of a partition, and its activation."""

    version_id: int
    activation: int


class SeenExecution(Protocol):
    """An execution, and what is current at its position in the log; None if it is not known."""

    @property
    def execution(self) -> ExecutionEntry: ...  # noqa: D102

    @property
    def current(self) -> CurrentVersion | None: ...  # noqa: D102


class _Engine:
    """What one engine has executed of one tool; ``stale`` counts since ``activation``."""

    __slots__ = ("activation", "newest", "stale")

    def __init__(self, activation: int) -> None:
        self.activation = activation
        self.stale = 0
        self.newest: ExecutionEntry


async def note_executed(
    conn: Connection, executions: Sequence[SeenExecution], most: int = MAX_ENGINES
) -> None:
    """Note new executions, which are in the order of the log, in the transaction of the caller.

    Those that do not say which engine ran which version say nothing, and neither do those of a
    version that the tool does not have.
    """
    unknown = await unknown_versions(conn, _stale_versions(executions))
    engines: dict[tuple[str, str], _Engine] = {}
    for each in executions:
        execution, current = each.execution, each.current
        engine_id, version_id = execution.engine_id, execution.version_id
        if current is None or engine_id is None or version_id is None:
            continue
        key = execution.tool_name, engine_id
        is_stale = version_id != current.version_id
        if is_stale and (execution.tool_name, version_id) in unknown:
            continue
        engine = engines.get(key)
        if engine is None or engine.activation != current.activation:
            engine = engines[key] = _Engine(current.activation)
        engine.newest = execution
        engine.stale += is_stale
    if engines:
        # In the order of the keys, so that two recorders do not wait for each other in a circle.
        rows = [_row(key, engines[key]) for key in sorted(engines)]
        await conn.execute(_SQL["store"], *zip(*rows, strict=True), most)


def _stale_versions(executions: Iterable[SeenExecution]) -> set[tuple[str, int]]:
    """Return the versions that engines execute and that are not current, with their tools."""
    found = set()
    for each in executions:
        execution, current = each.execution, each.current
        version_id = execution.version_id
        if current is None or execution.engine_id is None or version_id is None:
            continue
        if version_id != current.version_id:
            found.add((execution.tool_name, version_id))
    return found


def _row(key: tuple[str, str], engine: _Engine) -> tuple[object, ...]:
    newest = engine.newest
    executed_at = time_of(newest.executed_us)
    return (
        *key,
        newest.version_id,
        engine.activation,
        engine.stale,
        _began_at(executed_at, newest.duration_ms),
        executed_at,
    )


def _began_at(executed_at: datetime, duration_ms: float | None) -> datetime:
    """Return when an execution began; an engine may say any number."""
    took_ms = min(max(duration_ms or 0.0, 0.0), _LONGEST_MS)
    return executed_at - timedelta(milliseconds=took_ms)
