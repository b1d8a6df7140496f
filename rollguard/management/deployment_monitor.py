"""A monitor for engines that poll: is the current version healthy, and if not, roll it back.

The detector judges every execution as it arrives, without any polling. The monitor may run beside
it. It asks the same rules, and issues the same command with the same id as the detector would.
Whichever of the two comes first, the version is rolled back once.
"""

import time
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from db.postgres.pool import Connection
from db.rollbacks.records import commanded
from policy.decision.command import decide, details_of, mode_of
from policy.state.row import Row
from rollguard.management.closing import ClosesAtExit
from rollguard.management.tool_version_manager import ReloadsTools, ToolVersionManager
from rollguard.operations.health import health_of
from schemas.fields import micros_of, parse_time, time_of
from schemas.rollback import Mode, Reason, RollbackCommand, Tier, automatic_command_id
from schemas.settings import Settings

ISSUED_BY: Final = "monitor"
MAX_ATTEMPTS: Final = 64
"""More than any activation can have, because the interval between attempts doubles."""


class DeploymentMonitor(ClosesAtExit):
    """The health of current versions: ``async with DeploymentMonitor() as monitor``.

    Without a ``version_manager`` the monitor makes one from the other arguments, and closes it
    together with itself. Every method raises what the methods of ``ToolVersionManager`` raise.
    """

    def __init__(
        self,
        execution_store: object = None,
        tool_registry: ReloadsTools | None = None,
        version_manager: ToolVersionManager | None = None,
        *,
        settings: Settings | None = None,
    ) -> None:
        self._own = version_manager is None
        self.version_manager = version_manager or ToolVersionManager(
            execution_store, tool_registry, settings=settings
        )

    async def close(self) -> None:
        """Close the version manager if this monitor has made it."""
        if self._own:
            await self.version_manager.close()

    async def check_health(self, tool_name: str, session_id: str | None = None) -> dict[str, Any]:
        """Ask the detector what all rules say now.

        The result has ``needs_rollback``, ``tier``, ``reason``, ``details`` and the windows
        (contract, section 7). Of the widest window it has ``total_executions``, ``success_rate``
        (from 0 to 1), ``baseline_success_rate`` and ``success_rate_drop``, which is how far the
        rate is below the baseline. Each of the last three is None if it is not known.

        A version is judged by all its executions, those of all sessions; ``session_id`` is only
        returned. Raises ``Rejected`` if the tool was never activated, ``Retryable`` with the part
        ``detector`` if no detector answers.
        """
        health = await health_of(self.version_manager.settings, tool_name)
        window, baseline = health["windows"]["standard"], health["baseline"]
        executions = window["executions"]
        rate = 1 - window["failures"] / executions if executions else None
        return health | {
            "session_id": session_id,
            "total_executions": executions,
            "success_rate": rate,
            "baseline_success_rate": baseline and baseline["success_rate"],
            "success_rate_drop": (
                baseline["success_rate"] - rate if baseline and rate is not None else None
            ),
        }

    async def auto_rollback_if_needed(
        self, tool_name: str, session_id: str | None = None, check_fast_rollback: bool = True
    ) -> dict[str, Any]:
        """Roll the current version back if a rule demands it.

        First the immediate rules judge the executions in Postgres; this needs no detector.
        ``check_fast_rollback=False`` skips them. Then all rules are asked of the detector. A
        command that was decided before is not decided again: its outcome is returned.

        ``rollback_performed`` says whether the version was rolled back. If a rule demanded it,
        ``type`` is ``fast`` or ``standard``, ``details`` is the evidence, and the other keys are
        those of ``ToolVersionManager.rollback_to_version``. Otherwise ``type`` is None.
        ``session_id`` is only returned.
        """
        command = await self._fast(tool_name) if check_fast_rollback else None
        if command is None:
            command = _demanded(await self.check_health(tool_name, session_id))
        if command is None:
            return {"rollback_performed": False, "type": None, "session_id": session_id}
        client = await self.version_manager.connections.client()
        result = await self.version_manager.result_of(await client.command(command), None)
        return result | {
            "rollback_performed": result["success"],
            "type": "standard" if command.tier == "standard" else "fast",
            "details": command.details,
            "session_id": session_id,
        }

    async def _fast(self, tool_name: str) -> RollbackCommand | None:
        """Return the command that the immediate rules demand; None if no rule demands one.

        It has the same id as the detector's command. If it is too early for another attempt, it is
        the last command that was issued.
        """
        manager = self.version_manager
        policy = manager.policies.of(tool_name)
        row = await manager.evidence(tool_name)
        verdict = policy.immediate_verdict(row)
        if verdict is None:
            return None
        async with manager.connections.postgres() as conn:
            await _remember_attempts(conn, row, tool_name)
        command = decide(row, tool_name, time.time_ns() // 1000, policy)
        if command is not None:
            return command.model_copy(update={"issued_by": ISSUED_BY})
        return _command(
            UUID(row.command_id),
            tool_name,
            (row.version_id, row.activation),
            (verdict.tier, verdict.reason),
            mode_of(verdict.reason, tool_name, row.activation, policy.rules),
            details_of(row, verdict, policy),
            time_of(row.commanded_us),
        )


async def _remember_attempts(conn: Connection, row: Row, tool_name: str) -> None:
    """Count in the row the commands about this activation that were applied or rejected.

    A command that has no outcome yet is not counted: its id is that of the next attempt.
    """
    ids = [
        automatic_command_id(tool_name, row.version_id, row.activation, attempt)
        for attempt in range(1, MAX_ATTEMPTS + 1)
    ]
    records = await commanded(conn, ids)
    for command_id in ids:
        if command_id not in records:
            break
        row.attempts += 1
        row.commanded_us = micros_of(records[command_id].issued_at)
        row.command_id = str(command_id)


def _demanded(health: dict[str, Any]) -> RollbackCommand | None:
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
    )


def _command(
    command_id: UUID,
    tool_name: str,
    changed: tuple[int, int],
    rule: tuple[Tier, Reason],
    mode: Mode | None,
    details: dict[str, Any],
    now: datetime,
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
        issued_by=ISSUED_BY,
        issued_at=min(now, datetime.now(UTC)),
    )
