"""Trust: which code of a tool may be gone back to.

It belongs to the code, whichever versions carry it. Code that was rolled back automatically has
lost it, until a person deploys that code or activates a version of it. All functions are called
inside the transaction that changes the tool.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple, Self
from uuid import UUID

import asyncpg

from db.pool import Connection
from db.sql import blocks

_SQL: Final = blocks("trust.sql")


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
    any: the same code under another version is no way out."""

    tool_name: str
    version_id: int
    losing: str | None = None


class Loss(NamedTuple):
    """Code that is not trusted from ``since`` on, when this command was applied."""

    tool_name: str
    code_hash: str
    command_id: UUID
    since: datetime


async def find_targets(conn: Connection, leaving: Sequence[Leaving]) -> dict[str, Target]:
    """For each tool the nearest version back along ``previous_version_id`` that is trusted and is
    not the one that is left; tools that have none are missing. Circles in the history end the walk.
    """
    if not leaving:
        return {}
    rows = await conn.fetch(_SQL["way_back"], *zip(*leaving, strict=True))
    return {row["tool_name"]: Target.of(row) for row in rows}


async def take_trust(conn: Connection, losses: Sequence[Loss]) -> None:
    """This code is not trusted any more. What lost its trust before keeps its first loss."""
    if losses:
        await conn.executemany(_SQL["take"], losses)


async def give_trust(conn: Connection, code: Sequence[tuple[str, str]]) -> None:
    """A person has made this code (of a tool, by its hash) current: it is trusted, whatever
    happened to it before."""
    if code:
        await conn.executemany(_SQL["give"], code)
