"""Rollbacks for the command line: order one, list them, explain one."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from db.executions.queries import ExecutionRecord, executions_by_id
from db.rollbacks.records import RollbackRecord, rollback_by_id, rollbacks
from policy.decision.rule_texts import evidence_text, rule_text
from policy.weighing.evidence_summary import summary_of
from rollguard.client import EngineClient
from rollguard.operations.connection import connection
from schemas.errors import Rejected
from schemas.fields import uuid_of
from schemas.rollback import RollbackOutcome
from schemas.settings import Settings


async def roll_back(
    settings: Settings, tool: str, version_id: int, reason: str, by: str
) -> RollbackOutcome:
    """Order a rollback to this version in the name of a person, and return its outcome."""
    async with EngineClient(settings) as client:
        return await client.rollback(tool, version_id, reason, issued_by=by)


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
            raise unknown_rollback(command_id)
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


def unknown_rollback(command_id: UUID) -> Rejected:
    """Return the error for an id that no rollback has."""
    return Rejected(
        f"no rollback has the id {command_id}; `rollguard rollbacks` lists the rollbacks"
    )
