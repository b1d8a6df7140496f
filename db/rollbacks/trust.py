"""Trust: which code of a tool may be gone back to.

It belongs to the code, whichever versions carry it. Code that was rolled back automatically has
lost it, until a person deploys that code or activates a version of it. All functions are called
inside the transaction that changes the tool.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, Self
from uuid import UUID

import asyncpg

from db.postgres.errors import postgres_errors
from db.postgres.pool import Connection
from db.postgres.sql import blocks
from schemas.rollback import Reason, Tier

_SQL: Final = blocks("rollbacks/trust.sql")


class Target(NamedTuple):
    """A version that may become the current one."""

    version_id: int
    version_number: int
    code_hash: str

    @classmethod
    def of(cls, row: asyncpg.Record) -> Self:
        return cls(row["version_id"], row["version_number"], row["code_hash"])


class Leaving(NamedTuple):
    """A version that is to be left, and the hash of the code that loses its trust with that, if
    any: the same code under another version is no way out.
    """

    tool_name: str
    version_id: int
    losing: str | None = None


class Candidate(NamedTuple):
    """A trusted version on the way back, and how often it was executed and succeeded, as far as the
    recorder has come.
    """

    target: Target
    executions: int
    successes: int


class LostBy(NamedTuple):
    """The rollback by which code lost its trust."""

    command_id: UUID
    tier: Tier
    reason: Reason
    details: dict[str, Any]
    from_version_id: int
    applied_at: datetime


class Loss(NamedTuple):
    """Code that is not trusted from ``since`` on, when this command was applied."""

    tool_name: str
    code_hash: str
    command_id: UUID
    since: datetime


async def ways_back(
    conn: Connection, leaving: Sequence[Leaving], most: int
) -> dict[str, list[Candidate]]:
    """For each tool the nearest ``most`` versions back along ``previous_version_id`` that are
    trusted and are not the one that is left, the nearest first; tools that have none are missing.
    In a history that is a circle some may come again.
    """
    if not leaving:
        return {}
    with postgres_errors():
        rows = await conn.fetch(_SQL["way_back"], *zip(*leaving, strict=True), most)
    found = defaultdict(list)
    for row in rows:
        found[row["tool_name"]].append(
            Candidate(Target.of(row), row["total_executions"], row["successful_executions"])
        )
    return dict(found)


async def find_targets(conn: Connection, leaving: Sequence[Leaving]) -> dict[str, Target]:
    """The nearest alone of :func:`ways_back`."""
    back = await ways_back(conn, leaving, 1)
    return {tool: candidates[0].target for tool, candidates in back.items()}


async def lost_by(conn: Connection, code: Sequence[tuple[str, str]]) -> dict[str, LostBy]:
    """By which rollback this code (of a tool, by its hash; one for each tool) has lost its trust;
    tools whose code is trusted are missing.
    """
    if not code:
        return {}
    with postgres_errors():
        rows = await conn.fetch(_SQL["lost_by"], *zip(*code, strict=True))
    return {row["tool_name"]: LostBy(*(row[name] for name in LostBy._fields)) for row in rows}


async def take_trust(conn: Connection, losses: Sequence[Loss]) -> None:
    """This code is not trusted any more. What lost its trust before keeps its first loss."""
    if losses:
        await conn.executemany(_SQL["take"], losses)


async def give_trust(conn: Connection, code: Sequence[tuple[str, str]]) -> None:
    """A person has made this code (of a tool, by its hash) current: it is trusted, whatever
    happened to it before.
    """
    if code:
        await conn.executemany(_SQL["give"], code)
