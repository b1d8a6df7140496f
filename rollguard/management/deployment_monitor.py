"""For engines that poll: is a tool's current version healthy, and if not, put it back.

The detector judges every execution as it arrives and needs no one who polls. The monitor stands
beside it: it asks the same rules, and issues the very command that the detector would, with the
same id, so that whoever comes first, the version is rolled back once.
"""

import time
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Self
from uuid import UUID

from db.postgres.pool import Connection
from db.rollbacks.records import commanded
from policy.decision.command import decide, details_of, mode_of
from policy.state.row import Row
from rollguard.management.tool_version_manager import ReloadsTools, ToolVersionManager
from rollguard.operations.reads import health
from schemas.fields import micros_of, parse_time, time_of
from schemas.rollback import Mode, Reason, RollbackCommand, Tier, automatic_command_id
from schemas.settings import Settings

ISSUED_BY: Final = "monitor"
MAX_ATTEMPTS: Final = 64
"""With an interval that doubles no activation comes to so many."""


class DeploymentMonitor:
    """Also an async context manager. Without a ``version_manager`` it makes one of its own, of
    ``execution_store``, ``tool_registry`` and ``settings``, and closes that with itself.

    Every method raises what the methods of :class:`ToolVersionManager` raise.
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

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close what this monitor has opened itself."""
        if self._own:
            await self.version_manager.close()

    async def check_health(self, tool_name: str, session_id: str | None = None) -> dict[str, Any]:
        """What all rules say now, from the detector's table: ``needs_rollback``, ``tier``,
        ``reason``, ``details``, the windows themselves (contract, section 7), and of the widest
        window ``total_executions``, ``success_rate`` and its ``success_rate_drop`` below the
        baseline (None where not known).

        A version is judged by all its executions: ``session_id`` is given back as it came.
        Rejected for a tool that was never activated, Retryable('detector') where none answers.
        """
        said = await health(self.version_manager.settings, tool_name)
        window, baseline = said["windows"]["standard"], said["baseline"]
        executions = window["executions"]
        rate = 1 - window["failures"] / executions if executions else None
        return said | {
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
        """Roll the current version back if a rule holds: ``rollback_performed``, ``type`` (``fast``
        or ``standard``), ``tier``, ``reason``, ``details``, and the result of the rollback, as
        :meth:`ToolVersionManager.rollback_to_version` returns it.

        First the immediate rules, of what Postgres holds (``check_fast_rollback``): they hold
        while no detector runs. Then all rules, of the detector's table. A command that was decided
        before is not decided anew: its outcome is told.
        """
        command = await self._fast(tool_name) if check_fast_rollback else None
        if command is None:
            command = _demanded(await self.check_health(tool_name, session_id))
        if command is None:
            return {"rollback_performed": False, "type": None, "session_id": session_id}
        client = await self.version_manager.connections.client()
        result = await self.version_manager.told(await client.command(command), None)
        return result | {
            "rollback_performed": result["success"],
            "type": "standard" if command.tier == "standard" else "fast",
            "details": command.details,
            "session_id": session_id,
        }

    async def _fast(self, tool_name: str) -> RollbackCommand | None:
        """The command that the immediate rules demand, with the id that the detector gives it;
        the one before it where it is too early for another; None where no rule holds.
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
    """Note in the row what was commanded of this activation before, as far as it was applied or
    rejected; what is under way still has the id of the next attempt.
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


def _demanded(said: dict[str, Any]) -> RollbackCommand | None:
    """The command of a table query's answer; None where no rule holds that does more than be
    observed.
    """
    if not said["needs_rollback"] or said["mode"] == "observe":
        return None
    tool_name, changed = said["tool_name"], (said["version_id"], said["activation"])
    return _command(
        UUID(said["command_id"])
        if said["command_id"]
        else automatic_command_id(tool_name, *changed, 1),
        tool_name,
        changed,
        (said["tier"], said["reason"]),
        said["mode"],
        said["details"],
        parse_time(said["as_of"]),
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
    """The command. ``changed``: the version's id and its activation; ``now``: that of the rules."""
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
