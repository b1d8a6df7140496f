"""The later verdicts on versions, as they are read."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from pydantic import Field

from db.postgres.errors import postgres_errors
from db.postgres.pool import Connection
from db.postgres.sql import blocks
from schemas.fields import Time
from schemas.message import Message

_SQL: Final = blocks("versions/verdicts.sql")
NEWEST_BAD: Final = 3
"""Of each version so many bad verdicts are shown."""


class BadVerdict(Message):
    """A verdict that the result of an execution was bad.

    ``judged_by`` is None if it was erased, with the reason.
    """

    execution_id: UUID
    judged_by: str | None
    why: str | None
    judged_at: Time


class VerdictsOnVersion(Message):
    """How many verdicts there are on a version, and how many are bad; the newest bad ones."""

    judged: int = 0
    bad: int = 0
    newest_bad: list[BadVerdict] = Field(default_factory=list)


async def verdicts_on(
    conn: Connection, tool_name: str, version_ids: Sequence[int]
) -> dict[int, VerdictsOnVersion]:
    """Return the verdicts on versions of a tool, by version; those without any are missing."""
    with postgres_errors():
        counts = await conn.fetch(_SQL["of_versions"], tool_name, version_ids)
        judged = [row["version_id"] for row in counts if row["bad"]]
        bad = await conn.fetch(_SQL["newest_bad"], tool_name, judged, NEWEST_BAD)
    newest = defaultdict(list)
    for row in bad:
        newest[row["version_id"]].append(BadVerdict.model_validate(dict(row)))
    return {
        row["version_id"]: VerdictsOnVersion(
            judged=row["judged"], bad=row["bad"], newest_bad=newest[row["version_id"]]
        )
        for row in counts
    }
