"""Rollback commands: which are applied, what they change, and what came of each."""

from collections import defaultdict
from collections.abc import Callable, Container, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg

from db.postgres.errors import postgres_errors
from db.postgres.locks import lock_versions, tool_transaction
from db.postgres.pool import Connection, to_jsonb
from db.postgres.sql import blocks
from db.rollbacks.holds import Conclusion, answered, conclude, expire
from db.rollbacks.pins import pins
from db.rollbacks.plans import Plan
from db.rollbacks.trust import Leaving, Loss, Target, find_targets, give_trust, take_trust
from schemas.fields import Count, Time, VersionId, storable
from schemas.message import Message
from schemas.rollback import (
    Mode,
    Reason,
    Rejection,
    RollbackCommand,
    RollbackOutcome,
    Status,
    TargetChoice,
    Tier,
)
from schemas.rules import Rules

_SQL: Final = blocks("rollbacks/rollbacks.sql")
_UNPLANNED: Final[Mapping[str, Plan]] = MappingProxyType({})

_DEFAULT_RULES: Final = Rules()
_STATUS: Final[Mapping[Mode | None, Status]] = {
    None: "applied",
    "hold": "held",
    "observe": "observed",
}


class RollbackRecord(Message):
    """A command and what came of it.

    Of an applied one the versions are those that were changed, of a held or observed one those that
    would have been; of one that was rejected at once those that it named, with their numbers as far
    as the tool has such versions. ``expires_at`` of one that waits for a person, or has waited;
    ``dismissal`` is why it was dismissed. ``applied_at`` is when it got its status. ``target``,
    ``is_breaking_change`` and ``breaking_changes``: :class:`schemas.rollback.RollbackOutcome`.
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


class _Decision(NamedTuple):
    """A command, the version of its tool that is current, where it leads (to a version, or to the
    first rejection that holds), and its plan, if it leads to a version and has one.
    """

    command: RollbackCommand
    current: asyncpg.Record | None
    to: Target | Rejection
    plan: Plan | None = None

    @property
    def mode(self) -> Mode | None:
        """What is to become of it, if it leads to a version: what a person approves is done."""
        if self.command.is_answer:
            return None
        is_held = self.plan is not None and self.plan.is_held
        return self.command.mode or ("hold" if is_held else None)


class _Change(NamedTuple):
    """A command that is applied: which version it replaces, and by which."""

    command: RollbackCommand
    replaced: asyncpg.Record
    target: Target


async def roll_back(
    conn: Connection, command: RollbackCommand, rules: Rules = _DEFAULT_RULES
) -> RollbackOutcome:
    """Put another version in the place of the current one, or say why not; in one transaction.

    A ``command_id`` seen before changes nothing and gets the identical outcome, unless it is held
    and this is the answer to it, or its time is over. A rejected command changes nothing; its row
    keeps the versions that it named. One to be held or observed changes nothing either; its row
    keeps the versions that it would have changed. An automatic one that is applied takes the trust
    of the code that it replaced; a manual one gives trust to the code that it activated. Raises
    Retryable.
    """
    [outcome] = await roll_back_each(conn, [command], lambda _: rules)
    return outcome


async def roll_back_each(
    conn: Connection,
    commands: Sequence[RollbackCommand],
    rules_of: Callable[[str], Rules],
    plans: Mapping[str, Plan] = _UNPLANNED,
) -> list[RollbackOutcome]:
    """:func:`roll_back` of several tools, one command for each, in one transaction: all of them or
    none. Raises Retryable also where one id stands for two commands.

    ``plans``, by tool, say where automatic commands of policy `guarded` lead, and whether they are
    braked or held; other commands have none.
    """
    tools = [command.tool_name for command in commands]
    assert len(set(tools)) == len(tools), "commands of one tool need an order"
    async with tool_transaction(conn, *tools):
        stored = await _stored(conn, commands)
        new = _undecided(commands, stored)
        if new:
            stored |= await _apply(conn, await _decide(conn, new, plans), stored, rules_of)
        return [_outcome(stored[command.command_id]) for command in commands]


async def rollbacks(
    conn: Connection, tool_name: str | None, since: datetime | None, limit: int
) -> list[RollbackRecord]:
    """The newest ``limit`` commands, of one tool or of all, applied or rejected at ``since`` or
    later; the newest first.
    """
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
    oldest first. A rejected one that named another tool's version is about none.
    """
    with postgres_errors():
        rows = await conn.fetch(_SQL["about"], tool_name, version_ids)
    about = defaultdict(list)
    for row in rows:
        about[row["from_version_id"]].append(RollbackRecord.model_validate(dict(row)))
    return about


async def held(conn: Connection, tool_name: str | None) -> list[RollbackRecord]:
    """The commands, of one tool or of all, that wait for a person and that an approval would still
    carry out: their time is not over, and what they replace is current. The newest first.
    """
    with postgres_errors():
        rows = await conn.fetch(_SQL["held"], tool_name)
    return [RollbackRecord.model_validate(dict(row)) for row in rows]


async def _stored(
    conn: Connection, commands: Sequence[RollbackCommand]
) -> dict[UUID, asyncpg.Record]:
    """The rows of those that were decided before, by id; none is held beyond its time."""
    rows = await conn.fetch(_SQL["stored"], [command.command_id for command in commands])
    tools = {command.tool_name for command in commands}
    waiting = [row for row in rows if row["status"] == "held" and row["tool_name"] in tools]
    if waiting:
        rows += await expire(conn, [row["command_id"] for row in waiting])
    return {row["command_id"]: row for row in rows}


def _undecided(
    commands: Sequence[RollbackCommand], stored: Mapping[UUID, asyncpg.Record]
) -> list[RollbackCommand]:
    """What is to be decided: commands that are new, and held ones that are answered."""
    found = []
    for command in commands:
        row = stored.get(command.command_id)
        request = command if row is None else answered(row, command)
        if request is not None:
            found.append(request)
    return found


async def _decide(
    conn: Connection, commands: Sequence[RollbackCommand], plans: Mapping[str, Plan]
) -> list[_Decision]:
    rows = await conn.fetch(_SQL["current"], [command.tool_name for command in commands])
    current = {row["tool_name"]: row for row in rows}
    named = await _named_versions(conn, commands)
    pinned = await pins(conn, [each.tool_name for each in commands if each.is_by_machine])
    judged = [
        _judge(command, current.get(command.tool_name), named, pinned) for command in commands
    ]
    leaving = [
        _leaving(command, current[command.tool_name])
        for command, to in zip(commands, judged, strict=True)
        if to is None and command.tool_name not in plans
    ]
    back = await find_targets(conn, leaving) | {tool: plan.target for tool, plan in plans.items()}
    return [
        _planned(
            _Decision(
                command,
                current.get(command.tool_name),
                (back.get(command.tool_name) or "no_previous_version") if to is None else to,
            ),
            plans.get(command.tool_name),
        )
        for command, to in zip(commands, judged, strict=True)
    ]


def _planned(decision: _Decision, plan: Plan | None) -> _Decision:
    """The same, with what the plan says to it: nothing to what is rejected already."""
    if plan is None or not isinstance(decision.to, Target):
        return decision
    return (
        decision._replace(to=plan.rollback_limit)
        if plan.rollback_limit
        else decision._replace(plan=plan)
    )


async def _named_versions(
    conn: Connection, commands: Sequence[RollbackCommand]
) -> dict[tuple[str, int], Target]:
    """What the commands name, as far as the tools have such versions; by tool and id."""
    named = [
        (command.tool_name, version_id) for command in commands for version_id in _ids(command)
    ]
    if not named:
        return {}
    rows = await conn.fetch(_SQL["named"], *zip(*named, strict=True))
    return {(row["tool_name"], row["version_id"]): Target.of(row) for row in rows}


def _ids(command: RollbackCommand) -> list[int]:
    named = command.from_version_id, command.to_version_id
    return [version_id for version_id in named if version_id is not None]


def _judge(
    command: RollbackCommand,
    current: asyncpg.Record | None,
    named: Mapping[tuple[str, int], Target],
    pinned: Container[str],
) -> Target | Rejection | None:
    """Where the command leads; None: to wherever the way back leads from the current version.
    ``pinned`` are tools that are not to be changed by this command.
    """
    if command.dismissed_by is not None:
        return "dismissed"
    if any((command.tool_name, version_id) not in named for version_id in _ids(command)):
        return "unknown_version"
    if not _is_about(command, current):
        return "not_current"
    if current is None:
        return "no_previous_version"
    if command.to_version_id == current["version_id"]:
        return "already_current"
    if command.tool_name in pinned:
        return "pinned"
    if command.to_version_id is None:
        return None
    return named[command.tool_name, command.to_version_id]


def _is_about(command: RollbackCommand, current: asyncpg.Record | None) -> bool:
    """Whether the version and the activation that the command names, if any, are current."""
    return command.from_version_id in (None, current and current["version_id"]) and (
        command.from_activation in (None, current and current["activation"])
    )


def _leaving(command: RollbackCommand, current: asyncpg.Record) -> Leaving:
    losing = None if command.tier == "manual" else current["code_hash"]
    return Leaving(command.tool_name, current["version_id"], losing)


async def _apply(
    conn: Connection,
    decisions: Sequence[_Decision],
    waiting: Container[UUID],
    rules_of: Callable[[str], Rules],
) -> dict[UUID, asyncpg.Record]:
    """Make the changes, and store what came of each command; by the commands' ids. ``waiting``
    have a row, in which they are held.
    """
    changes = [
        _Change(decision.command, decision.current, decision.to)
        for decision in decisions
        if isinstance(decision.to, Target)
        and decision.current is not None
        and decision.mode is None
    ]
    if changes:
        await _activate(conn, changes)
    new, concluded = [], []
    for decision in decisions:
        if decision.command.command_id in waiting:
            concluded.append(_conclusion(decision))
        else:
            new.append(_row(decision, rules_of(decision.command.tool_name)))
    rows = await conn.fetchmany(_SQL["store"], new) if new else []
    rows += await conclude(conn, concluded)
    stored = {row["command_id"]: row for row in rows}
    await _settle_trust(conn, changes, stored)
    return stored


async def _activate(conn: Connection, changes: Sequence[_Change]) -> None:
    replaced = [change.replaced["version_id"] for change in changes]
    activated = [change.target.version_id for change in changes]
    await lock_versions(conn, replaced + activated)
    await conn.execute(_SQL["retire"], replaced)
    await conn.execute(
        _SQL["activate"],
        activated,
        [change.command.issued_at for change in changes],
        [change.command.command_id for change in changes],
    )


async def _settle_trust(
    conn: Connection, changes: Sequence[_Change], stored: Mapping[UUID, asyncpg.Record]
) -> None:
    """What applied commands do to the trust of the code that they replaced or activated."""
    losses, given = [], []
    for command, replaced, target in changes:
        if command.tier == "manual":
            given.append((command.tool_name, target.code_hash))
        else:
            since = stored[command.command_id]["applied_at"]
            code_hash = replaced["code_hash"]
            losses.append(Loss(command.tool_name, code_hash, command.command_id, since))
    await take_trust(conn, losses)
    await give_trust(conn, given)


def _came(decision: _Decision) -> tuple[Status, Rejection | None]:
    if isinstance(decision.to, Target):
        return _STATUS[decision.mode], None
    return "rejected", decision.to


def _conclusion(decision: _Decision) -> Conclusion:
    command = decision.command
    answer = command.approved_by, command.dismissed_by, command.dismissal
    return Conclusion(command.command_id, *_came(decision), *answer)


def _row(decision: _Decision, rules: Rules) -> tuple[Any, ...]:
    """What is stored. A rejected command's versions are those that it named, any other's those that
    are changed, or would be.
    """
    command, current, to, plan = decision
    status, rejection = _came(decision)
    if isinstance(to, Target):
        assert current is not None
        left: tuple[Any, ...] = current["version_id"], current["activation"]
        entered: tuple[Any, ...] = to.version_id, to.version_number
    else:
        left = command.from_version_id, command.from_activation
        entered = command.to_version_id, None
    return (
        command.command_id,
        command.tool_name,
        *left,
        *entered,
        command.tier,
        command.reason,
        to_jsonb(command.details),
        command.issued_by,
        command.issued_at,
        status,
        rejection,
        rules.hold_expires_s if status == "held" else None,
        command.approved_by,
        command.dismissed_by,
        command.dismissal,
        *((None, None, None) if plan is None else _found(plan)),
    )


def _found(plan: Plan) -> tuple[TargetChoice | None, bool, list[str]]:
    return plan.choice, plan.is_breaking, [storable(sentence) for sentence in plan.breaking]


def _outcome(row: asyncpg.Record) -> RollbackOutcome:
    """What a row of `rollbacks` says. A rejected command has changed to no version."""
    fields = dict(row)
    if fields["status"] == "rejected":
        fields["to_version_id"] = fields["to_version_number"] = None
    return RollbackOutcome.model_validate(fields)
