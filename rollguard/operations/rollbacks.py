"""Rollbacks for the command line: order one, list them, explain one."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeVar
from uuid import UUID

from db.executions.queries import ExecutionRecord, executions_by_id
from db.postgres.pool import Connection
from db.rollbacks.costs import CallSpan
from db.rollbacks.records import (
    RollbackRecord,
    commands_between,
    rollback_of,
    rollbacks,
)
from db.versions.reading import VersionRecord, version
from db.versions.verdicts import VerdictsOnVersion
from policy.decision.rule_texts import rule_text
from policy.rollbacks.costs import RollbackCost
from policy.rollbacks.explanations import evidence_of
from rollguard.client import EngineClient
from rollguard.operations.connection import connection
from rollguard.operations.overview.rollback_costs import (
    Affected,
    CostedRollback,
    affected_by,
    cost_of_one,
    costs_of,
    span_of,
)
from rollguard.printing import data_of
from schemas.errors import Missing, Rejected
from schemas.fields import uuid_of
from schemas.rollback import CommandKey, RollbackOutcome
from schemas.settings import Settings

T = TypeVar("T")

_DIGITS: Final = 32
"""How many hexadecimal digits an id has."""
MAX_CANDIDATES: Final = 10
"""How many ids or tools the error for an ambiguous name of a command lists at most."""


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


async def command_named(
    where: Settings | Connection, beginning: str, tool: str | None
) -> CommandKey:
    """Return the command whose id begins with these digits, of this tool if one is given.

    Missing if there is no such command. Rejected if there is more than one; then the error lists
    their ids, or the tools that have a command with the same id.
    """
    first, last = ids_between(beginning)
    async with connection(where) as conn:
        found = await commands_between(conn, first, last, tool, MAX_CANDIDATES + 1)
    return require_one(
        [(each.command_id, each.tool_name) for each in found], found, beginning, tool
    )


def ids_between(beginning: str) -> tuple[UUID, UUID]:
    """Return the first and the last id that begins with these digits."""
    first, last = (UUID(beginning.ljust(_DIGITS, digit)) for digit in "0f")
    return first, last


def require_one(
    ids: Sequence[tuple[UUID, str]],
    found: Sequence[T],
    beginning: str,
    tool: str | None,
    kind: str = "rollback",
) -> T:
    """Return the only one that was found; ``ids`` are the id and the tool of each.

    Missing if there is none, Rejected if there is more than one.
    """
    if not found:
        first, last = ids_between(beginning)
        of_tool = "" if tool is None else f" and is of {tool!r}"
        named = f"the id {first}" if first == last else f"an id that begins with {beginning}"
        raise unknown_rollback(named + of_tool, kind)
    if len(found) > 1:
        raise Rejected(_ambiguous(beginning, ids))
    return found[0]


def _ambiguous(beginning: str, found: Sequence[tuple[UUID, str]]) -> str:
    """Return the error for several commands: their ids, or their tools if it is one id."""
    ids = list(dict.fromkeys(str(each_id) for each_id, _ in found[:MAX_CANDIDATES]))
    more = ", and more" if len(found) > MAX_CANDIDATES else ""
    if len(ids) > 1:
        return f"more than one id begins with {beginning}: {', '.join(ids)}{more}"
    tools = ", ".join(repr(tool) for _, tool in found[:MAX_CANDIDATES])
    return f"commands of several tools have the id {ids[0]}: {tools}{more}; name one with --tool"


async def rollbacks_of(
    settings: Settings, tool: str | None, since: datetime | None, limit: int
) -> list[RollbackRecord]:
    """Return the newest ``limit`` rollbacks since a time, the newest first.

    They are those of one tool, or of all tools if ``tool`` is None.
    """
    async with connection(settings) as conn:
        return await rollbacks(conn, tool, since, limit)


async def costed_rollbacks(
    settings: Settings, tool: str | None, since: datetime | None, limit: int
) -> list[CostedRollback]:
    """Return the same rollbacks, each with what it cost."""
    async with connection(settings) as conn:
        found = await rollbacks(conn, tool, since, limit)
        costs = await costs_of(conn, found)
    return [CostedRollback(each, costs.get(each.key)) for each in found]


class RecordedFailures(NamedTuple):
    """How many executions of a version have failed until now, and whose failures they are."""

    failures: int
    caller: int
    environment: int


@dataclass(frozen=True)
class RollbackExplanation:
    """Why a rollback was decided.

    ``rule`` is the rule's text with the numbers that were in force; of a command that was decided
    before they were kept, with those that are set here and now. ``evidence`` says what policy
    `guarded` compared; None for a command of another policy. ``executions`` are those that
    the command names and Postgres has, the newest first; ``unrecorded`` are the ids of the others.
    ``failures`` are those of the version that was replaced, and ``later_verdicts`` those on it;
    ``cost`` says how many failed calls it cost and spared, and ``affected`` whom these concern.
    None if that is not known. ``span`` says between which times those calls lie; None also if it
    was asked for over HTTP.
    """

    command: RollbackRecord
    rule: str
    evidence: str | None
    executions: list[ExecutionRecord]
    unrecorded: list[str]
    failures: RecordedFailures | None
    later_verdicts: VerdictsOnVersion | None = None
    cost: RollbackCost | None = None
    affected: Affected | None = None
    span: CallSpan | None = None

    def data(self) -> dict[str, Any]:
        """Return it as JSON has it: the keys of the command, and these."""
        verdicts = self.later_verdicts
        return {
            **data_of(self.command),
            "rule": self.rule,
            "evidence": self.evidence,
            "executions": [data_of(each) for each in self.executions],
            "unrecorded": list(self.unrecorded),
            "failures": None if self.failures is None else self.failures._asdict(),
            "later_verdicts": None if verdicts is None else data_of(verdicts),
            "cost": None if self.cost is None else data_of(self.cost),
            "affected": None if self.affected is None else data_of(self.affected),
        }


async def explanation_of(
    settings: Settings, named: CommandKey, given: Connection | None = None
) -> RollbackExplanation:
    """Explain this rollback. Missing if there is no such rollback."""
    async with connection(given or settings) as conn:
        command = await rollback_of(conn, named)
        if command is None:
            raise unknown_rollback(f"the id {named.command_id}")
        ids = named_executions(command)
        known = [each for each in map(uuid_of, ids) if each]
        executions = await executions_by_id(conn, command.tool_name, known)
        replaced = await _replaced_version(conn, command)
        span = await span_of(conn, command)
        cost = None if span is None else await cost_of_one(conn, command, span)
        affected = None if span is None else await affected_by(settings, conn, span)
    recorded = {str(each.execution_id) for each in executions}
    rule, evidence = rule_and_evidence(settings, command)
    return RollbackExplanation(
        command,
        rule=rule,
        evidence=evidence,
        executions=executions,
        unrecorded=[each for each in ids if each not in recorded],
        failures=None if replaced is None else _failures_of(replaced),
        later_verdicts=None if replaced is None else replaced.later_verdicts,
        cost=cost,
        affected=affected,
        span=span,
    )


def rule_and_evidence(settings: Settings, command: RollbackRecord) -> tuple[str, str | None]:
    """Return the rule's text, and what policy `guarded` compared; see ``RollbackExplanation``."""
    if command.explanation is not None:
        return command.explanation.rule, command.explanation.evidence
    rule = rule_text(command.tier, command.reason, settings.rules_of(command.tool_name))
    return rule, evidence_of(command.details, command.reason)


async def _replaced_version(conn: Connection, command: RollbackRecord) -> VersionRecord | None:
    """Return the version that a command replaces; None if that is not known."""
    if command.from_version_id is None:
        return None
    return await version(conn, command.tool_name, command.from_version_id)


def _failures_of(found: VersionRecord) -> RecordedFailures:
    return RecordedFailures(found.failures, found.caller_failures, found.environment_failures)


def named_executions(command: RollbackRecord) -> list[str]:
    """Return the ids of the executions that the command names as its reason (``recent``).

    They are texts, because whoever issued the command may have written anything there.
    """
    recent = command.details.get("recent")
    return [str(each) for each in recent] if isinstance(recent, list) else []


def unknown_rollback(named: str, kind: str = "rollback") -> Missing:
    """Return the error for an id that no rollback has, or nothing that can be answered."""
    lists = "rollbacks` lists the rollbacks" if kind == "rollback" else "holds` lists what waits"
    return Missing(f"no {kind} has {named}; `rollguard {lists}")
