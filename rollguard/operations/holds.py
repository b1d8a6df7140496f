"""Rollbacks that wait for a person, and what the person says of them."""

from datetime import UTC, datetime
from uuid import UUID

from pydantic import ValidationError

from db.rollbacks.records import RollbackRecord, held, rollback_by_id
from rollguard.client import EngineClient
from rollguard.operations.reads import connection
from schemas.errors import Rejected
from schemas.message import explain
from schemas.rollback import RollbackCommand, RollbackOutcome
from schemas.settings import Settings


async def waiting(settings: Settings, tool: str | None) -> list[RollbackRecord]:
    """The rollbacks, of one tool or of all, that wait and can still be carried out: the newest
    first.
    """
    async with connection(settings) as conn:
        return await held(conn, tool)


async def approve(settings: Settings, command_id: UUID, by: str) -> RollbackOutcome:
    """Have a held rollback carried out, and wait for what came of it: ``rejected`` where it cannot
    be any more. Of one that is not held it is what came of it before.

    Rejected where no command has this id, Retryable('applier') where no outcome comes in time.
    """
    return await _answer(settings, command_id, approved_by=by)


async def dismiss(settings: Settings, command_id: UUID, reason: str, by: str) -> RollbackOutcome:
    """Have a held rollback rejected, `dismissed`; otherwise as :func:`approve`."""
    return await _answer(settings, command_id, dismissed_by=by, dismissal=reason)


async def _answer(settings: Settings, command_id: UUID, **said: str) -> RollbackOutcome:
    async with connection(settings) as conn:
        record = await rollback_by_id(conn, command_id)
    if record is None:
        raise Rejected(f"no rollback has the id {command_id}")
    try:
        command = RollbackCommand.model_validate(
            _named(record) | said | {"issued_at": datetime.now(UTC)}
        )
    except ValidationError as error:
        raise Rejected(explain(error)) from error
    async with EngineClient(settings) as client:
        return await client.command(command)


def _named(record: RollbackRecord) -> dict[str, object]:
    """The command again, but for when it was issued: an approved one is issued when a person says
    so, and what it activates counts from then.
    """
    return record.model_dump(
        include={
            *("command_id", "tool_name", "from_version_id", "from_activation", "to_version_id"),
            *("tier", "reason", "details", "issued_by"),
        }
    )
