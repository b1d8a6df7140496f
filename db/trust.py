"""Trust: which code of a tool may be gone back to.

It belongs to the code, whichever versions carry it. Code that was rolled back automatically has
lost it, until a person deploys that code or activates a version of it. All functions are called
inside the transaction that changes the tool.
"""

from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from db.pool import Connection
from db.sql import blocks

_SQL: Final = blocks("trust.sql")


class Target(NamedTuple):
    """A version that may become the current one."""

    version_id: int
    version_number: int
    code_hash: str


async def find_target(
    conn: Connection, tool_name: str, current_id: int, losing: str | None = None
) -> Target | None:
    """The nearest version back along ``previous_version_id`` that is trusted and is not the current
    one; None if there is none.

    ``losing`` is the hash of the code that is about to lose its trust: the same code under another
    version is no way out. Circles in the history end the walk.
    """
    row = await conn.fetchrow(_SQL["way_back"], tool_name, current_id, losing)
    return None if row is None else Target(**row)


async def take_trust(
    conn: Connection, tool_name: str, code_hash: str, command_id: UUID, since: datetime
) -> None:
    """From ``since`` on, when this command was applied, the code is not trusted."""
    await conn.execute(_SQL["take"], tool_name, code_hash, command_id, since)


async def give_trust(conn: Connection, tool_name: str, code_hash: str) -> None:
    """A person has made this code current: it is trusted, whatever happened to it before."""
    await conn.execute(_SQL["give"], tool_name, code_hash)
