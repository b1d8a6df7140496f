"""Rollback commands: which are applied, what they change, and what came of each."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

import asyncpg

from db.errors import postgres_errors
from db.locks import tool_transaction
from db.pool import Connection, to_jsonb
from db.sql import blocks
from db.trust import Target, find_target, give_trust, take_trust
from schemas.fields import Count, Time, VersionId
from schemas.message import Message
from schemas.rollback import Reason, Rejection, RollbackCommand, RollbackOutcome, Tier

_SQL: Final = blocks("rollbacks.sql")


class RollbackRecord(Message):
    """A command and what came of it.

    Of an applied one the versions are those that were changed; of a rejected one those that it
    named, with their numbers as far as the tool has such versions.
    """

    command_id: UUID
    tool_name: str
    from_version_id: VersionId | None
    from_version_number: Count | None
    to_version_id: VersionId | None
    to_version_number: Count | None
    tier: Tier
    reason: Reason
    details: dict[str, Any]
    issued_by: str
    issued_at: Time
    status: Literal["applied", "rejected"]
    rejection: Rejection | None
    applied_at: Time


async def roll_back(conn: Connection, command: RollbackCommand) -> RollbackOutcome:
    """Put another version in the place of the current one, or say why not; in one transaction.

    A ``command_id`` seen before changes nothing and gets the identical outcome. A rejected
    command changes nothing; its row keeps the versions that it named. An automatic one that is
    applied takes the trust of the code that it replaced; a manual one gives trust to the code that
    it activated. Raises Retryable.
    """
    async with tool_transaction(conn, command.tool_name):
        stored = await conn.fetchrow(_SQL["stored"], command.command_id)
        if stored is None:
            current = await conn.fetchrow(_SQL["current"], command.tool_name)
            decided = await _decide(conn, command, current)
            if isinstance(decided, Target):
                assert current is not None
                await _apply(conn, command, current["version_id"], decided)
                stored = await _store(conn, command, current["version_id"], decided)
                await _settle_trust(conn, stored, current["code_hash"], decided.code_hash)
            else:
                stored = await _store_rejected(conn, command, decided)
        return _outcome(stored)


async def rollbacks(
    conn: Connection, tool_name: str | None, since: datetime | None, limit: int
) -> list[RollbackRecord]:
    """The newest ``limit`` commands, of one tool or of all, applied or rejected at ``since`` or
    later; the newest first."""
    with postgres_errors():
        if tool_name is None:
            rows = await conn.fetch(_SQL["newest"], since, limit)
        else:
            rows = await conn.fetch(_SQL["newest_of_tool"], since, limit, tool_name)
    return [RollbackRecord.model_validate(dict(row)) for row in rows]


async def commanded(conn: Connection, command_ids: Sequence[UUID]) -> dict[UUID, RollbackRecord]:
    """Those of these commands that were applied or rejected already, by their ids."""
    with postgres_errors():
        rows = await conn.fetch(_SQL["among"], command_ids)
    found = [RollbackRecord.model_validate(dict(row)) for row in rows]
    return {record.command_id: record for record in found}


async def rollback_by_id(conn: Connection, command_id: UUID) -> RollbackRecord | None:
    """One command; None if it was not applied or rejected yet."""
    return (await commanded(conn, [command_id])).get(command_id)


async def rollbacks_about(
    conn: Connection, tool_name: str, version_ids: Sequence[int]
) -> Mapping[int, list[RollbackRecord]]:
    """The commands to replace these versions of the tool, applied or rejected, by version; the
    oldest first. A rejected one that named another tool's version is about none."""
    with postgres_errors():
        rows = await conn.fetch(_SQL["about"], tool_name, version_ids)
    about = defaultdict(list)
    for row in rows:
        about[row["from_version_id"]].append(RollbackRecord.model_validate(dict(row)))
    return about


async def _decide(
    conn: Connection, command: RollbackCommand, current: asyncpg.Record | None
) -> Target | Rejection:
    """Where the command leads: to a version, or to the first rejection that holds."""
    versions = await _named_versions(conn, command)
    named = {command.from_version_id, command.to_version_id} - {None}
    if named - versions.keys():
        return "unknown_version"
    if not _is_about(command, current):
        return "not_current"
    if current is None:
        return "no_previous_version"
    if command.to_version_id == current["version_id"]:
        return "already_current"
    if command.to_version_id is not None:
        return versions[command.to_version_id]
    losing = None if command.tier == "manual" else current["code_hash"]
    target = await find_target(conn, command.tool_name, current["version_id"], losing)
    return "no_previous_version" if target is None else target


async def _named_versions(conn: Connection, command: RollbackCommand) -> dict[int, Target]:
    named = [command.from_version_id, command.to_version_id]
    rows = await conn.fetch(_SQL["versions_among"], command.tool_name, named)
    return {row["version_id"]: Target(**row) for row in rows}


def _is_about(command: RollbackCommand, current: asyncpg.Record | None) -> bool:
    """Whether the version and the activation that the command names, if any, are current."""
    return command.from_version_id in (None, current and current["version_id"]) and (
        command.from_activation in (None, current and current["activation"])
    )


async def _apply(
    conn: Connection, command: RollbackCommand, current_id: int, target: Target
) -> None:
    await conn.execute(_SQL["lock_versions"], [current_id, target.version_id])
    await conn.execute(_SQL["retire"], current_id)
    await conn.execute(
        _SQL["activate"],
        command.tool_name,
        target.version_id,
        command.issued_at,
        command.command_id,
    )


async def _settle_trust(
    conn: Connection, stored: asyncpg.Record, from_hash: str, to_hash: str
) -> None:
    """What an applied command does to the trust of the code that it replaced or activated."""
    if stored["tier"] == "manual":
        await give_trust(conn, stored["tool_name"], to_hash)
    else:
        since = stored["applied_at"]
        await take_trust(conn, stored["tool_name"], from_hash, stored["command_id"], since)


async def _store(
    conn: Connection, command: RollbackCommand, from_id: int, target: Target
) -> asyncpg.Record:
    to_id, to_number, _ = target
    return await _insert(conn, command, from_id, to_id, to_number, "applied", None)


async def _store_rejected(
    conn: Connection, command: RollbackCommand, rejection: Rejection
) -> asyncpg.Record:
    named = (command.from_version_id, command.to_version_id)
    return await _insert(conn, command, *named, None, "rejected", rejection)


async def _insert(
    conn: Connection,
    command: RollbackCommand,
    from_id: int | None,
    to_id: int | None,
    to_number: int | None,
    status: str,
    rejection: Rejection | None,
) -> asyncpg.Record:
    row = await conn.fetchrow(
        _SQL["store"],
        command.command_id,
        command.tool_name,
        from_id,
        to_id,
        to_number,
        command.tier,
        command.reason,
        to_jsonb(command.details),
        command.issued_by,
        command.issued_at,
        status,
        rejection,
    )
    assert row is not None
    return row


def _outcome(row: asyncpg.Record) -> RollbackOutcome:
    """What a row of `rollbacks` says. A rejected command has changed to no version."""
    fields = dict(row)
    if fields["status"] == "rejected":
        fields["to_version_id"] = None
    return RollbackOutcome.model_validate(fields)
