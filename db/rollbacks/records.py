"""Rollback commands as people read them: each with what came of it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from db.postgres.errors import postgres_errors
from db.postgres.pool import Connection
from db.postgres.sql import blocks
from schemas.explanation import Explanation
from schemas.fields import Count, Time, VersionId
from schemas.message import Message
from schemas.rollback import CommandKey, HoldReason, Reason, Rejection, Status, TargetChoice, Tier

_SQL: Final = blocks("rollbacks/records.sql")


class RollbackRecord(Message):
    """A command and what came of it.

    The versions of an applied command are those that were changed; of a held or observed one those
    that would have been changed; of one that was rejected at once those that it named, with their
    numbers if the tool has such versions. ``expires_at`` is set if the command waits for a person
    or has waited; ``dismissal`` is why it was dismissed. ``applied_at`` is when it got its status.
    For ``target``, ``is_breaking_change``, ``breaking_changes`` and ``hold_reason`` see
    ``schemas.rollback.RollbackOutcome``. Of ``details`` that are too large to be read, only
    ``left_out`` is there, which says how large they are.
    """

    command_id: UUID
    tool_name: str
    from_version_id: VersionId | None
    from_version_number: Count | None
    to_version_id: VersionId | None
    to_version_number: Count | None
    target: TargetChoice | None
    is_breaking_change: bool | None
    breaking_changes: list[str] | None
    tier: Tier
    reason: Reason
    details: dict[str, Any]
    issued_by: str
    issued_at: Time
    status: Status
    rejection: Rejection | None
    applied_at: Time
    from_activation: Count | None
    expires_at: Time | None
    approved_by: str | None
    dismissed_by: str | None
    dismissal: str | None
    explanation: Explanation | None = None
    hold_reason: HoldReason | None

    @property
    def key(self) -> CommandKey:
        """The identity of the command."""
        return CommandKey.of(self.tool_name, self.command_id, self.tier)


async def rollbacks(
    conn: Connection, tool_name: str | None, since: datetime | None, limit: int
) -> list[RollbackRecord]:
    """Return the newest ``limit`` commands of one tool or of all, the newest first.

    Only those count that got their status at ``since`` or later.
    """
    with postgres_errors():
        if tool_name is None:
            rows = await conn.fetch(_SQL["newest"], since, limit)
        else:
            rows = await conn.fetch(_SQL["newest_of_tool"], since, limit, tool_name)
    return [RollbackRecord.model_validate(dict(row)) for row in rows]


class RollbacksWanted(NamedTuple):
    """Which commands are listed; None selects all."""

    tool_name: str | None = None
    status: Status | None = None
    since: datetime | None = None
    """They got their status then or later."""
    tier: Tier | None = None
    until: datetime | None = None
    """They got their status then or earlier."""


class AfterRollback(NamedTuple):
    """The command after which a page begins."""

    applied_at: datetime
    command_id: UUID
    tool_name: str


async def rollbacks_page(
    conn: Connection, wanted: RollbacksWanted, after: AfterRollback | None, limit: int
) -> list[RollbackRecord]:
    """Return at most ``limit`` commands, the newest first, from the one that comes ``after``."""
    with postgres_errors():
        rows = await conn.fetch(_SQL["page"], *wanted, *(after or (None, None, None)), limit)
    return [RollbackRecord.model_validate(dict(row)) for row in rows]


async def commanded(
    conn: Connection, commands: Sequence[CommandKey]
) -> dict[CommandKey, RollbackRecord]:
    """Return those of these commands that have a status already."""
    if not commands:
        return {}
    with postgres_errors():
        rows = await conn.fetch(_SQL["among"], *zip(*commands, strict=True))
    found = [RollbackRecord.model_validate(dict(row)) for row in rows]
    return {record.key: record for record in found}


async def rollback_of(conn: Connection, command: CommandKey) -> RollbackRecord | None:
    """Return one command; None if it has no status yet."""
    return (await commanded(conn, [command])).get(command)


async def commands_between(
    conn: Connection, first: UUID, last: UUID, tool_name: str | None, limit: int
) -> list[CommandKey]:
    """Return at most ``limit`` commands whose ids lie between two ids, in their order.

    They are those of one tool, or of all. If an automatic command of a tool and a person's have the
    same id, it is the automatic one.
    """
    with postgres_errors():
        rows = await conn.fetch(_SQL["between"], first, last, tool_name, limit)
    return [CommandKey(*row) for row in rows]


async def rollbacks_about(
    conn: Connection, tool_name: str, version_ids: Sequence[int]
) -> Mapping[int, list[RollbackRecord]]:
    """Return the commands to replace these versions of the tool, by version, the oldest first.

    A rejected command that named a version of another tool is about none of them.
    """
    with postgres_errors():
        rows = await conn.fetch(_SQL["about"], tool_name, version_ids)
    about = defaultdict(list)
    for row in rows:
        about[row["from_version_id"]].append(RollbackRecord.model_validate(dict(row)))
    return about


async def held(conn: Connection, tool_name: str | None) -> list[RollbackRecord]:
    """Return the held commands of one tool or of all that can still be approved, the newest first.

    Their time is not over, and the version that they replace is current.
    """
    with postgres_errors():
        rows = await conn.fetch(_SQL["held"], tool_name)
    return [RollbackRecord.model_validate(dict(row)) for row in rows]
