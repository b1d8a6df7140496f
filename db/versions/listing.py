"""All tools at a glance: the current version of each, its metrics, pin, hold and last rollback."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import asyncpg

from db.postgres.errors import postgres_errors
from db.postgres.pool import Connection
from db.postgres.sql import blocks
from schemas.fields import Count, Time, VersionId
from schemas.message import Message
from schemas.rollback import Reason, Tier

_SQL: Final = blocks("versions/listing.sql")


class LastRollback(Message):
    """The rollback of a tool that was carried out last."""

    command_id: UUID
    tier: Tier
    reason: Reason
    from_version_id: VersionId
    to_version_id: VersionId
    applied_at: Time


class ListedTool(Message):
    """A tool: its current version, and what a person should know about it."""

    tool_name: str
    version_id: VersionId
    version_number: Count
    activation: Count
    activated_at: Time
    success_rate: float | None
    """None until the version is executed."""
    total_executions: int
    pinned: bool
    """Whether a pin of it, or of all tools, is in force."""
    frozen: bool
    """Whether a freeze of it, or of all tools, is in force."""
    waits_for_resume: bool
    """Whether autonomous deployments wait until somebody resumes them after a rollback."""
    rejected: bool
    """Whether a person has rejected the code of the current version."""
    held: bool
    """Whether a rollback of the current version waits for a person."""
    deployment_held: bool
    """Whether a deployment waits for a person."""
    last_rollback: LastRollback | None


async def listed_tools(
    conn: Connection,
    *,
    after: str | None = None,
    among: Sequence[str] | None = None,
    part: str | None = None,
    limit: int | None = None,
) -> list[ListedTool]:
    """Return tools that have versions, by name: all of them, or at most ``limit``.

    They come after the name ``after``, are ``among`` these names, and have ``part`` in their name,
    in whatever case; each of these may be None.
    """
    with postgres_errors():
        rows = await conn.fetch(_SQL["tools"], after, among, part, limit)
    return [ListedTool.model_validate(_fields(row)) for row in rows]


async def current_activations(
    conn: Connection,
    *,
    after: str | None = None,
    among: Sequence[str] | None = None,
    part: str | None = None,
    limit: int,
) -> list[tuple[str, int]]:
    """Return names and current activations of tools, by name; see ``listed_tools``."""
    with postgres_errors():
        rows = await conn.fetch(_SQL["activations"], after, among, part, limit)
    return [(row["tool_name"], row["activation"]) for row in rows]


async def tools_with_held(conn: Connection) -> list[str]:
    """Return the tools of which a rollback or a deployment waits for a person."""
    with postgres_errors():
        return [row["tool_name"] for row in await conn.fetch(_SQL["held"])]


def _fields(row: asyncpg.Record) -> dict[str, Any]:
    fields = dict(row)
    last = {name: fields.pop(name) for name in LastRollback.model_fields}
    return fields | {"last_rollback": last if last["command_id"] else None}
