"""The commands that the rules demand now, for whoever polls: the same ones as the detector's.

They have the detector's ids, so whoever comes first, a version is rolled back once.
"""

import time
from datetime import UTC, datetime
from typing import Any, Final, get_args
from uuid import UUID

import structlog

from db.executions.queries import newest_executions
from db.postgres.pool import Connection
from db.rollbacks.records import commanded
from db.versions.reading import current_version
from policy.decision.command import command_for, details_of, mode_of
from policy.decision.policies import Policies
from policy.decision.rebuild import rebuild
from policy.state.last_command import LastCommand
from policy.state.row import Row
from rollguard.management.connections import Connections
from rollguard.operations.overview.health import health_of
from rollguard.person_name import valid_name
from schemas.deployment import ToolVersion
from schemas.errors import Rejected, Retryable
from schemas.fields import micros_of, parse_time, storable, time_of
from schemas.rollback import (
    CommandKey,
    Mode,
    Reason,
    RollbackCommand,
    Tier,
    automatic_command_id,
)
from schemas.settings import Settings

log = structlog.get_logger()

MAX_ATTEMPTS: Final = 64
"""More than any activation can have, because the interval between attempts doubles."""
_AUTOMATIC: Final = frozenset(get_args(Reason)) - {"manual"}


class AutomaticCommands:
    """The commands about current versions: by their executions in Postgres, or by the detector."""

    def __init__(self, settings: Settings, connections: Connections) -> None:
        self.policies = Policies(settings.rules_of)
        self._settings = settings
        self._connections = connections

    async def evidence(self, tool_name: str, at: datetime | None = None) -> Row:
        """Return the row of the current version, rebuilt from its newest executions in Postgres.

        'Now' is the clock's time. With ``at`` it is that time, and later executions are left out.
        """
        policy = self.policies.of(tool_name)
        async with self._connections.postgres() as conn:
            current = await require_current(conn, tool_name)
            found = await newest_executions(
                conn,
                tool_name,
                current.version_id,
                policy.rules.ring_size,
                since=current.activated_at if current.activated_by.kind == "rollback" else None,
                until=at,
            )
        return rebuild(current, found[::-1], policy, at or datetime.now(UTC))

    async def immediate(
        self, tool_name: str, issued_by: str, reason: Reason | None = None
    ) -> RollbackCommand | None:
        """Return the command that the immediate rules demand; None if no rule demands one.

        With a ``reason``, only the rule with this reason is asked. If it is too early for another
        attempt, it is the last command that was issued.
        """
        policy = self.policies.of(tool_name)
        row = await self.evidence(tool_name)
        verdict = policy.immediate_verdict(row, reason)
        if verdict is None:
            return None
        async with self._connections.postgres() as conn:
            await _remember_attempts(conn, row, tool_name)
        command = command_for(verdict, row, tool_name, time.time_ns() // 1000, policy)
        if command is not None:
            return command.model_copy(update={"issued_by": issued_by})
        return _command(
            UUID(row.command_id),
            tool_name,
            (row.version_id, row.activation),
            (verdict.tier, verdict.reason),
            mode_of(verdict.reason, tool_name, row.activation, policy.rules),
            details_of(row, verdict, policy),
            time_of(row.commanded_us),
            issued_by,
        )

    async def for_reason(
        self, tool_name: str, version_id: int, reason: str, issued_by: str | None
    ) -> RollbackCommand | None:
        """Return the command of the rule that ``reason`` names, if that rule holds now.

        Its target is the version that is named. None if the reason is no rule's, if the rule does
        not hold, or if nobody can say so now because no detector answers. Rejected if ``issued_by``
        is no name.
        """
        if reason not in _AUTOMATIC:
            return None
        by = valid_name(issued_by or "version_manager", "issued_by")
        command = await self.immediate(tool_name, by, reason)  # type: ignore[arg-type]
        if command is None:
            try:
                command = demanded_command(await health_of(self._settings, tool_name), by)
            except (Rejected, Retryable) as error:
                log.warning("rule_not_asked", tool=tool_name, reason=reason, error=str(error))
        if command is None or command.reason != reason:
            return None
        return command.model_copy(update={"to_version_id": version_id})


async def require_current(conn: Connection, tool_name: str) -> ToolVersion:
    """Return the tool's current version. Rejected if the tool has no versions."""
    require_name(tool_name)
    current = await current_version(conn, tool_name)
    if current is None:
        raise Rejected(f"{tool_name!r} has no versions")
    return current


def require_name(tool_name: str) -> None:
    """Raise Rejected for a value that no tool can have as its name."""
    if not isinstance(tool_name, str) or storable(tool_name) != tool_name:
        raise Rejected(f"tool_name: {tool_name!r} is not the name of a tool")


async def _remember_attempts(conn: Connection, row: Row, tool_name: str) -> None:
    """Count in the row the commands about this activation that were applied or rejected.

    A command that has no outcome yet is not counted: its id is that of the next attempt.
    """
    ids = (
        automatic_command_id(tool_name, row.version_id, row.activation, attempt)
        for attempt in range(1, MAX_ATTEMPTS + 1)
    )
    attempts = [CommandKey(tool_name, each, is_automatic=True) for each in ids]
    records = await commanded(conn, attempts)
    for attempt in attempts:
        if attempt not in records:
            break
        record = records[attempt]
        row.attempts += 1
        row.commanded_us = micros_of(record.issued_at)
        row.command_id = str(record.command_id)
        row.last_command = LastCommand(
            was_immediate=record.tier == "immediate",
            was_held=record.expires_at is not None,
            strength=0.0,
            is_dismissed=record.rejection == "dismissed",
        )


def demanded_command(health: dict[str, Any], issued_by: str) -> RollbackCommand | None:
    """Return the command that the detector's answer demands.

    None if no rule holds, or if the rule's mode is `observe` (a dry run).
    """
    if not health["needs_rollback"] or health["mode"] == "observe":
        return None
    tool_name, changed = health["tool_name"], (health["version_id"], health["activation"])
    return _command(
        UUID(health["command_id"])
        if health["command_id"]
        else automatic_command_id(tool_name, *changed, 1),
        tool_name,
        changed,
        (health["tier"], health["reason"]),
        health["mode"],
        health["details"],
        parse_time(health["as_of"]),
        issued_by,
    )


def _command(
    command_id: UUID,
    tool_name: str,
    changed: tuple[int, int],
    rule: tuple[Tier, Reason],
    mode: Mode | None,
    details: dict[str, Any],
    now: datetime,
    issued_by: str,
) -> RollbackCommand:
    """Return the command about a version, given as its id and its activation.

    ``now`` is the time at which the rules judged it.
    """
    return RollbackCommand(
        command_id=command_id,
        tool_name=tool_name,
        from_version_id=changed[0],
        from_activation=changed[1],
        tier=rule[0],
        reason=rule[1],
        mode=mode,
        details=details,
        issued_by=issued_by,
        issued_at=min(now, datetime.now(UTC)),
    )
