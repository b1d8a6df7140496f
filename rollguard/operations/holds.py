"""Held rollbacks: list those that wait for a person, approve one, dismiss one."""

from datetime import UTC, datetime
from uuid import UUID

from pydantic import ValidationError

from db.postgres.pool import Connection
from db.rollbacks.records import RollbackRecord, held, rollback_of
from rollguard.client import EngineClient
from rollguard.operations.connection import connection
from rollguard.operations.rollbacks import command_named, unknown_rollback
from schemas.errors import Rejected
from schemas.message import explain
from schemas.rollback import RollbackCommand, RollbackOutcome
from schemas.settings import Settings


async def waiting(settings: Settings, tool: str | None) -> list[RollbackRecord]:
    """Return the held rollbacks that can still be carried out, the newest first.

    They are those of one tool, or of all tools if ``tool`` is None. Raises Retryable if Postgres
    does not answer, Misconfigured if it refuses or its schema is missing.
    """
    async with connection(settings) as conn:
        return await held(conn, tool)


async def approve(
    settings: Settings, command_id: UUID, by: str, *, tool: str | None = None
) -> RollbackOutcome:
    """Carry out a held rollback in the name of ``by``, and return its outcome.

    The outcome's status is ``applied``, or ``rejected`` if the rollback cannot be carried out any
    more (``rejection`` says why). If the rollback is not held, nothing changes, and the outcome is
    the one that it already has.

    Raises Rejected if no rollback has this id, if rollbacks of several tools have it and ``tool``
    does not name one, or if ``by`` is no valid name; Retryable('applier') if no outcome comes
    within ``settings.wait_s`` seconds (the answer may still be carried out).
    """
    return await _answer(settings, command_id, tool, approved_by=by)


async def dismiss(
    settings: Settings, command_id: UUID, reason: str, by: str, *, tool: str | None = None
) -> RollbackOutcome:
    """Reject a held rollback in the name of ``by``, and return its outcome.

    The outcome is ``rejected`` with the rejection ``dismissed``; ``reason`` is kept with it. For a
    rollback that is not held, and for errors, see ``approve``.
    """
    return await _answer(settings, command_id, tool, dismissed_by=by, dismissal=reason)


async def _answer(
    settings: Settings, command_id: UUID, tool: str | None, **answer: str
) -> RollbackOutcome:
    async with connection(settings) as conn:
        command = await answer_to(conn, command_id, tool, **answer)
    async with EngineClient(settings) as client:
        return await client.command(command)


async def answer_to(
    conn: Connection, command_id: UUID, tool: str | None, **answer: str
) -> RollbackCommand:
    """Return the command that carries a person's answer (``approved_by``, …) to a held one.

    Missing if no rollback has this id, Rejected if rollbacks of several tools have it and ``tool``
    names none, or if the answer is not valid.
    """
    record = await rollback_of(conn, await command_named(conn, command_id.hex, tool))
    if record is None:
        raise unknown_rollback(f"the id {command_id}")
    try:
        return RollbackCommand.model_validate(
            _command_fields(record) | answer | {"issued_at": datetime.now(UTC)}
        )
    except ValidationError as error:
        raise Rejected(explain(error)) from error


def _command_fields(record: RollbackRecord) -> dict[str, object]:
    """Return the fields of the held command, but not when it was issued.

    An approved command is issued when the person approves it, because the version that it
    activates counts from then.
    """
    fields = record.model_dump(
        include={
            *("command_id", "tool_name", "from_version_id", "from_activation", "to_version_id"),
            *("tier", "reason", "details"),
        }
    )
    # Who issued it is read from the database. A row that is older than the rule for names may have
    # line breaks there, and must be answered all the same.
    return fields | {"issued_by": " ".join(record.issued_by.splitlines())}
