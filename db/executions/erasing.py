"""The erasure of errors and identities of executions; the executions and their metrics stay.

The explanations of rollbacks that these executions decided lose their errors, too, and so do the
refusals of the code that was rolled back. The later verdicts on these executions lose who gave them
and why; so do those that a caller gave who is erased.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple
from uuid import UUID

from asyncpg import Record

from db.postgres.locks import bounded_transaction
from db.postgres.pool import Connection
from db.postgres.sql import blocks
from schemas.failures.kept_class import kept_class

_SQL: Final = blocks("executions/erasing.sql")

Whose = Literal["session", "caller", "execution"]
"""By what executions are found: ``session_id``, ``caller`` or ``execution_id``."""
_FOUND: Final[Mapping[Whose, str]] = {
    "session": _SQL["of_session"],
    "caller": _SQL["of_caller"],
    "execution": _SQL["of_execution"],
}


class Place(NamedTuple):
    """The key of an execution: a batch begins after it."""

    execution_id: UUID
    tool_name: str


BEGIN: Final = Place(UUID(int=0), "")


class Erased(NamedTuple):
    """What one batch erased."""

    by_tool: Counter[str]
    """How many executions, by tool."""
    last: Place
    """Where the next batch goes on."""


async def erase_batch(
    conn: Connection, whose: Whose, value: str, after: Place, most: int
) -> Erased | None:
    """Erase the next ``most`` executions of this session or caller, or with this id.

    It is one transaction. Return None if there are no more. Of an error only the class stays, as
    ``kept_class`` gives it. Raises Retryable.
    """
    async with bounded_transaction(conn):
        rows = await conn.fetch(_FOUND[whose], value, *after, most)
        if not rows:
            return None
        ids = [row["execution_id"] for row in rows]
        tools = [row["tool_name"] for row in rows]
        labels = [kept_class(row["error_type"], row["error"]) for row in rows]
        await conn.execute(_SQL["erase"], ids, tools, labels)
        await conn.execute(_SQL["erase_verdicts"], ids, tools)
        await _erase_quotations(conn, tools, ids)
    return Erased(Counter(tools), Place(ids[-1], tools[-1]))


async def erase_verdicts_on(conn: Connection, execution_id: str) -> None:
    """Erase who gave the later verdicts on an execution and why, also if it is not recorded.

    Raises Retryable.
    """
    async with bounded_transaction(conn):
        rows = await conn.fetch(_SQL["erase_verdicts_on"], execution_id)
        await _erase_quotations_of_verdicts(conn, rows)


async def erase_verdicts_by(conn: Connection, judge: str, most: int) -> int:
    """Erase who gave ``most`` of the later verdicts of this judge, and why; return how many.

    It is one transaction. Raises Retryable.
    """
    async with bounded_transaction(conn):
        rows = await conn.fetch(_SQL["erase_verdicts_by"], judge, most)
        await _erase_quotations_of_verdicts(conn, rows)
    return len(rows)


async def _erase_quotations_of_verdicts(conn: Connection, rows: Sequence[Record]) -> None:
    if rows:
        tools, ids = zip(*{(row["tool_name"], row["execution_id"]) for row in rows}, strict=True)
        await _erase_quotations(conn, tools, ids)


async def _erase_quotations(conn: Connection, tools: Sequence[str], ids: Sequence[UUID]) -> None:
    """Erase the errors in explanations and refusals that rest on these executions."""
    await conn.execute(_SQL["erase_explanations"], tools, ids)
    await conn.execute(_SQL["erase_refusals"], tools, ids)
