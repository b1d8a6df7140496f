"""Later verdicts on executions: each is stored once within its tool."""

from collections.abc import Sequence
from typing import Final, NamedTuple
from uuid import UUID

from db.postgres.errors import postgres_errors
from db.postgres.pool import Connection
from db.postgres.sql import blocks
from schemas.later_verdict import LaterVerdict
from schemas.settings import KeepErrors

_SQL: Final = blocks("executions/verdicts.sql")


async def insert_verdicts(
    conn: Connection,
    verdicts: Sequence[tuple[int, LaterVerdict]],
    keep_errors: KeepErrors = "text",
) -> None:
    """Store verdicts, each with its offset; those whose id is stored already are skipped.

    They are stored in the order of their keys, so that two recorders do not wait for each other in
    a circle. Of two with the same id the first counts. With ``keep_errors`` ``class`` it is not
    stored why they were given.
    """
    first: dict[tuple[str, int], tuple[int, LaterVerdict]] = {}
    for offset, verdict in verdicts:
        first.setdefault((verdict.tool_name, verdict.verdict_id.int), (offset, verdict))
    if first:
        rows = [_row(*first[key], keep_errors) for key in sorted(first)]
        with postgres_errors():
            await conn.executemany(_SQL["insert"], rows)


def _row(offset: int, verdict: LaterVerdict, keep_errors: KeepErrors) -> tuple[object, ...]:
    return (
        verdict.tool_name,
        verdict.verdict_id,
        verdict.execution_id,
        verdict.version_id,
        verdict.bad,
        verdict.by,
        verdict.why if keep_errors == "text" else None,
        verdict.judged_at,
        offset,
    )


class EarlierBadVerdict(NamedTuple):
    """A bad verdict that was recorded before another one."""

    verdict_id: UUID
    execution_id: UUID
    why: str | None


async def bad_verdicts_before(
    conn: Connection, tool_name: str, version_id: int, before: UUID | None, most: int
) -> list[EarlierBadVerdict]:
    """Return the newest ``most`` bad verdicts on a version, the newest first.

    They are those before the verdict with the id ``before``, if it is recorded.
    """
    with postgres_errors():
        rows = await conn.fetch(_SQL["bad_before"], tool_name, version_id, before, most)
    return [EarlierBadVerdict(*row) for row in rows]


async def verdict_is_recorded(conn: Connection, tool_name: str, verdict_id: UUID) -> bool:
    """Return whether a verdict of a tool is stored."""
    with postgres_errors():
        return bool(await conn.fetchval(_SQL["is_recorded"], tool_name, verdict_id))
