"""Rollback commands: which are applied, what they change, and what came of each."""

from typing import Final, NamedTuple

import asyncpg

from db.locks import tool_transaction
from db.pool import Connection, to_jsonb
from db.sql import blocks
from schemas.rollback import Rejection, RollbackCommand, RollbackOutcome

_SQL: Final = blocks("rollbacks.sql")


class Target(NamedTuple):
    """The version that becomes the current one."""

    version_id: int
    version_number: int


async def roll_back(conn: Connection, command: RollbackCommand) -> RollbackOutcome:
    """Put another version in the place of the current one, or say why not; in one transaction.

    A ``command_id`` seen before changes nothing and gets the identical outcome. A rejected
    command changes nothing; its row keeps the versions that it named. Raises Retryable.
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
            else:
                stored = await _store_rejected(conn, command, decided)
        return _outcome(stored)


async def find_target(conn: Connection, tool_name: str, current_id: int) -> Target | None:
    """The nearest version back along ``previous_version_id`` that is not the current one; None
    if there is none."""
    rows = await conn.fetch(_SQL["way_back"], tool_name, current_id)
    return Target(**rows[0]) if rows else None


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
    target = await find_target(conn, command.tool_name, current["version_id"])
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


async def _store(
    conn: Connection, command: RollbackCommand, from_id: int, target: Target
) -> asyncpg.Record:
    return await _insert(conn, command, from_id, *target, "applied", None)


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
