"""What engines execute: the newest version of each, and how many executions are stale.

An execution is stale if its version was not the current one at its position in the log.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from db.engines.believed import MAX_ENGINES, unknown_versions
from db.postgres.pool import Connection
from db.postgres.sql import blocks
from schemas.execution_entry import ExecutionEntry
from schemas.fields import time_of

_SQL: Final = blocks("engines/executed.sql")
_LONGEST_MS: Final = 86_400_000.0
"""No execution is taken to have begun more than a day before its end."""


class SeenExecution(NamedTuple):
    """An execution that names its engine and its version, and what was current at its position."""

    execution: ExecutionEntry
    current_version_id: int
    activation: int

    @property
    def key(self) -> tuple[str, str]:
        """The tool and the engine."""
        return self.execution.tool_name, self.execution.engine_id or ""

    @property
    def version(self) -> tuple[str, int]:
        """The tool and the id of the version."""
        return self.execution.tool_name, self.execution.version_id or 0

    @property
    def is_stale(self) -> bool:
        """Whether another version was current."""
        return self.execution.version_id != self.current_version_id


@dataclass
class _Engine:
    """What one engine has executed of one tool; ``stale`` counts since ``activation``."""

    activation: int
    newest: ExecutionEntry
    stale: int = 0


async def note_executed(
    conn: Connection, seen: Sequence[SeenExecution], most: int = MAX_ENGINES
) -> None:
    """Note new executions, which are in the order of the log, in the transaction of the caller.

    Those of a version that the tool does not have say nothing.
    """
    unknown = await unknown_versions(conn, {each.version for each in seen if each.is_stale})
    engines: dict[tuple[str, str], _Engine] = {}
    for each in seen:
        execution = each.execution
        if each.version in unknown:
            continue
        engine = engines.get(each.key)
        if engine is None or engine.activation != each.activation:
            engine = engines[each.key] = _Engine(each.activation, execution)
        engine.newest = execution
        engine.stale += each.is_stale
    if engines:
        # In the order of the keys, so that two recorders do not wait for each other in a circle.
        rows = [_row(key, engines[key]) for key in sorted(engines)]
        await conn.execute(_SQL["store"], *zip(*rows, strict=True), most)


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
