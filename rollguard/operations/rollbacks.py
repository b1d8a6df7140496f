"""Rollbacks for the command line: order one, list them, explain one."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from db.executions.queries import ExecutionRecord, executions_by_id
from db.rollbacks.records import (
    RollbackRecord,
    command_ids_between,
    rollback_by_id,
    rollbacks,
)
from policy.decision.rule_texts import evidence_text, rule_text
from policy.weighing.evidence_summary import summary_of
from rollguard.client import EngineClient
from rollguard.operations.connection import connection
from schemas.errors import Rejected
from schemas.fields import uuid_of
from schemas.rollback import RollbackOutcome
from schemas.settings import Settings

_DIGITS: Final = 32
"""How many hexadecimal digits an id has."""
_CANDIDATES: Final = 10
"""How many ids the error for an ambiguous beginning lists at most."""


async def roll_back(
    settings: Settings, tool: str, version_id: int, reason: str, by: str, command_id: UUID
) -> RollbackOutcome:
    """Order a rollback to this version in the name of a person, and return its outcome."""
    async with EngineClient(settings) as client:
        return await client.rollback(tool, version_id, reason, issued_by=by, command_id=command_id)


def id_beginning(text: str) -> str:
    """Return the digits with which an id begins; ValueError if no id begins like this text."""
    if not re.fullmatch(r"[0-9a-f-]+", text, re.ASCII | re.IGNORECASE):
        raise ValueError(f"{text!r} is no part of an id")
    digits = text.replace("-", "").lower()
    whole = str(UUID(digits.ljust(_DIGITS, "0")))
    if not digits or text.lower() not in (digits, whole[: len(text)]):
        raise ValueError(f"{text!r} is not the beginning of an id")
    return digits


async def command_id_of(settings: Settings, beginning: str) -> UUID:
    """Return the id that begins with these digits.

    A whole id needs no connection, and is returned as it is. Rejected if no rollback has such an
    id, or more than one; then the error lists them.
    """
    if len(beginning) == _DIGITS:
        return UUID(beginning)
    first, last = (UUID(beginning.ljust(_DIGITS, digit)) for digit in "0f")
    async with connection(settings) as conn:
        found = await command_ids_between(conn, first, last, _CANDIDATES + 1)
    if not found:
        raise unknown_rollback(f"an id that begins with {beginning}")
    if len(found) > 1:
        listed = ", ".join(map(str, found[:_CANDIDATES]))
        more = ", and more" if len(found) > _CANDIDATES else ""
        raise Rejected(f"more than one id begins with {beginning}: {listed}{more}")
    return found[0]


async def rollbacks_of(
    settings: Settings, tool: str | None, since: datetime | None, limit: int
) -> list[RollbackRecord]:
    """Return the newest ``limit`` rollbacks since a time, the newest first.

    They are those of one tool, or of all tools if ``tool`` is None.
    """
    async with connection(settings) as conn:
        return await rollbacks(conn, tool, since, limit)


@dataclass(frozen=True)
class RollbackExplanation:
    """Why a rollback was decided.

    ``rule`` is the rule's text with the numbers that are set here and now. ``evidence`` says what
    policy `guarded` compared; None for a command of another policy. ``executions`` are those that
    the command names and Postgres has, the newest first; ``unrecorded`` are the ids of the others.
    """

    command: RollbackRecord
    rule: str
    evidence: str | None
    executions: list[ExecutionRecord]
    unrecorded: list[str]


async def explanation_of(settings: Settings, command_id: UUID) -> RollbackExplanation:
    """Explain the rollback with this id. Rejected if there is no such rollback."""
    async with connection(settings) as conn:
        command = await rollback_by_id(conn, command_id)
        if command is None:
            raise unknown_rollback(f"the id {command_id}")
        ids = named_executions(command)
        executions = await executions_by_id(conn, [each for each in map(uuid_of, ids) if each])
    recorded = {str(each.execution_id) for each in executions}
    summary = summary_of(command.details)
    return RollbackExplanation(
        command,
        rule=rule_text(command.tier, command.reason, settings.rules_of(command.tool_name)),
        evidence=None if summary is None else evidence_text(summary),
        executions=executions,
        unrecorded=[each for each in ids if each not in recorded],
    )


def named_executions(command: RollbackRecord) -> list[str]:
    """Return the ids of the executions that the command names as its reason (``recent``).

    They are texts, because whoever issued the command may have written anything there.
    """
    recent = command.details.get("recent")
    return [str(each) for each in recent] if isinstance(recent, list) else []


def unknown_rollback(named: str) -> Rejected:
    """Return the error for an id that no rollback has."""
    return Rejected(f"no rollback has {named}; `rollguard rollbacks` lists the rollbacks")
