"""The engines that were heard lately, each with what it says and what it does."""

from datetime import datetime
from typing import Final, NamedTuple

from db.postgres.errors import postgres_errors
from db.postgres.locks import bounded_transaction
from db.postgres.pool import Connection
from db.postgres.sql import blocks
from policy.engines import Executed, Reported

_SQL: Final = blocks("engines/listing.sql")
_ENDED_S: Final = 600.0
"""For how long it is known that an engine has ended. Its executions are recorded meanwhile."""


class AfterEngine(NamedTuple):
    """The last engine of a page, after which the next page begins."""

    tool_name: str
    engine_id: str


class EngineRow(NamedTuple):
    """An engine and a tool. What begins with ``reported`` is None if it has never reported.

    What begins with ``executed`` is None if no execution named it. Times: ``loaded_at`` and
    ``began_at`` are the engine's own, ``reported_at`` is the broker's.
    """

    tool_name: str
    engine_id: str
    current_version_id: int
    current_version_number: int
    current_activation: int
    reported_version_id: int | None
    reported_version_number: int | None
    reported_activation: int | None
    ok: bool | None
    error: str | None
    error_type: str | None
    loaded_at: datetime | None
    reported_at: datetime | None
    executed_version_id: int | None
    executed_version_number: int | None
    executed_activation: int | None
    stale_executions: int | None
    began_at: datetime | None
    executed_at: datetime | None

    @property
    def reported(self) -> Reported | None:
        """What it says."""
        if self.reported_activation is None or self.ok is None or self.loaded_at is None:
            return None
        return Reported(self.reported_activation, self.ok, self.loaded_at)

    @property
    def executed(self) -> Executed | None:
        """What it does."""
        version_id, activation, began_at = (
            self.executed_version_id,
            self.executed_activation,
            self.began_at,
        )
        if version_id is None or activation is None or began_at is None:
            return None
        return Executed(version_id, activation, began_at)


async def engines(
    conn: Connection,
    tool_name: str | None,
    silent_s: int,
    *,
    after: AfterEngine | None = None,
    limit: int | None = None,
    maybe_stale: bool = False,
) -> list[EngineRow]:
    """Return the engines of a tool, or of all tools, that were heard within ``silent_s`` seconds.

    They come by tool and engine: all of them, or at most ``limit`` ``after`` this one. With
    ``maybe_stale`` many are left out that run the current version, but not all
    (``policy.engines.state_of``).
    """
    given = (tool_name, float(silent_s), *(after or (None, None)), limit, maybe_stale)
    with postgres_errors():
        rows = await conn.fetch(_SQL["list"], *given)
    return [EngineRow(*row) for row in rows]


async def forget_silent(conn: Connection, silent_s: int) -> int:
    """Remove the engines of which nothing was heard for so long; return how many rows.

    Those that have said that they have ended go after ten minutes. Raises Retryable.
    """
    async with bounded_transaction(conn):
        removed = [
            await conn.execute(_SQL["forget_ended"], min(_ENDED_S, float(silent_s))),
            await conn.execute(_SQL["forget_reports"], float(silent_s)),
            await conn.execute(_SQL["forget_executions"], float(silent_s)),
        ]
    return sum(int(each.rpartition(" ")[2]) for each in removed)
