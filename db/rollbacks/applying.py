"""Decided rollback commands: their changes are made, and what came of each is stored."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import asyncpg

from db.postgres.locks import lock_versions
from db.postgres.pool import Connection, to_jsonb
from db.postgres.sql import blocks
from db.rollbacks.facts import CurrentVersion, outcome_of
from db.rollbacks.holds import Conclusion, conclude, expire
from db.rollbacks.trust import NewTrust, NewTrustLoss, Target, give_trust, take_trust
from db.stops.changing import NewStop, begin_each
from schemas.explanation import Explanation
from schemas.fields import storable
from schemas.rollback import (
    HoldReason,
    Rejection,
    RollbackCommand,
    RollbackOutcome,
    Status,
    TargetChoice,
)
from schemas.stops import MAX_REASON

_SQL: Final = blocks("rollbacks/applying.sql")


class TargetBreaks(NamedTuple):
    """Changes in the target that break callers of the version that it replaces."""

    is_breaking: bool
    """Whether one of the sentences is about a break."""
    sentences: Sequence[str]


class Decision(NamedTuple):
    """A command, and what is to come of it."""

    command: RollbackCommand
    status: Status
    rejection: Rejection | None
    is_held: bool
    """Whether the command has a row already, in which it is held."""
    current: CurrentVersion | None = None
    """The version that is replaced, or would be."""
    target: Target | None = None
    """The version that is activated, or would be; None for a rejected command."""
    choice: TargetChoice | None = None
    """How the target was chosen; None if the policy did not choose it."""
    breaks: TargetBreaks | None = None
    """None if the code was not compared."""
    hold_expires_s: int | None = None
    """For how many seconds a command that is held from now on waits for an answer."""
    explanation: Explanation | None = None
    """What an automatic command rests on; None if it is stored already."""
    hold_reason: HoldReason | None = None
    """Why it is held from now on, if neither its mode nor its target is the reason."""
    begins_wait: bool = False
    """Whether autonomous deployments of the tool wait if it is applied, until somebody resumes
    them."""


class _Change(NamedTuple):
    """A command that is applied: the version that it replaces, and the one that it activates."""

    command: RollbackCommand
    replaced: CurrentVersion
    target: Target


async def apply_decisions(
    conn: Connection, decisions: Sequence[Decision]
) -> dict[str, RollbackOutcome]:
    """Make the changes and store what came of each command; return the outcomes by tool.

    Each command is of another tool.

    Call it inside the ``db.postgres.locks.tool_transaction`` in which the facts were read.

    A command that is not applied changes no version: its row keeps the versions that it named if
    it is rejected, otherwise those that it would have changed. An applied automatic command takes
    the trust of the code that it replaced; an applied manual one gives trust to the code that it
    activated, and autonomous deployments may wait from then on.
    """
    changes = [
        _Change(each.command, each.current, each.target)
        for each in decisions
        if each.status == "applied" and each.current is not None and each.target is not None
    ]
    if changes:
        await _activate(conn, changes)
    stored = {row["tool_name"]: row for row in await _store(conn, decisions)}
    await _settle_trust(conn, changes, stored)
    await begin_each(conn, [_wait_after(each.command) for each in decisions if _waits(each)])
    return {tool: outcome_of(row) for tool, row in stored.items()}


async def _activate(conn: Connection, changes: Sequence[_Change]) -> None:
    replaced = [change.replaced.version_id for change in changes]
    activated = [change.target.version_id for change in changes]
    await lock_versions(conn, replaced + activated)
    await conn.execute(_SQL["retire"], replaced)
    await conn.execute(
        _SQL["activate"],
        activated,
        [change.command.issued_at for change in changes],
        [change.command.command_id for change in changes],
    )


async def _store(conn: Connection, decisions: Sequence[Decision]) -> list[asyncpg.Record]:
    """Insert a row for each new command, and update the rows of those that were held."""
    new = [_row(each) for each in decisions if not each.is_held]
    held = [each for each in decisions if each.is_held]
    expired = [each.command.key for each in held if each.rejection == "expired"]
    answered = [_conclusion(each) for each in held if each.rejection != "expired"]
    rows = await conn.fetchmany(_SQL["store"], new) if new else []
    rows += await expire(conn, expired)
    rows += await conclude(conn, answered)
    return rows


async def _settle_trust(
    conn: Connection, changes: Sequence[_Change], stored: Mapping[str, asyncpg.Record]
) -> None:
    """Take or give the trust of the code that applied commands replaced or activated."""
    losses, given = [], []
    for command, replaced, target in changes:
        if command.tier == "manual":
            by = command.issued_by
            given.append(NewTrust(command.tool_name, target.code_hash, by, "rollback"))
        else:
            since = stored[command.tool_name]["applied_at"]
            code_hash = replaced.code_hash
            losses.append(NewTrustLoss(command.tool_name, code_hash, command.command_id, since))
    await take_trust(conn, losses)
    await give_trust(conn, given)


def _waits(decision: Decision) -> bool:
    return decision.begins_wait and decision.status == "applied"


def _wait_after(command: RollbackCommand) -> NewStop:
    """Return the wait that begins with a person's rollback."""
    reason = command.details.get("reason")
    return NewStop(
        "wait",
        command.tool_name,
        storable(reason)[:MAX_REASON] if isinstance(reason, str) else "",
        command.issued_by,
        command_id=command.command_id,
    )


def _conclusion(decision: Decision) -> Conclusion:
    command = decision.command
    return Conclusion(
        command.key,
        decision.status,
        decision.rejection,
        command.approved_by,
        command.dismissed_by,
        command.dismissal,
    )


def _row(decision: Decision) -> tuple[Any, ...]:
    """Return the parameters of the block `store`.

    The versions of a rejected command are those that it named; of any other command those that are
    changed, or would be.
    """
    command, current, target = decision.command, decision.current, decision.target
    if target is not None:
        assert current is not None
        left: tuple[Any, ...] = current.version_id, current.activation
        entered: tuple[Any, ...] = target.version_id, target.version_number
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
        decision.status,
        decision.rejection,
        decision.hold_expires_s if decision.status == "held" else None,
        command.approved_by,
        command.dismissed_by,
        command.dismissal,
        decision.choice,
        *_columns_of(decision.breaks),
        _column_of(decision.explanation),
        decision.hold_reason,
    )


def _column_of(explanation: Explanation | None) -> str | None:
    return None if explanation is None else to_jsonb(explanation.model_dump(mode="json"))


def _columns_of(breaks: TargetBreaks | None) -> tuple[bool | None, list[str] | None]:
    if breaks is None:
        return None, None
    return breaks.is_breaking, [storable(sentence) for sentence in breaks.sentences]
