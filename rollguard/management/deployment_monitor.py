"""A monitor for engines that poll: is the current version healthy, and if not, roll it back.

The detector judges every execution as it arrives, without any polling. The monitor may run beside
it. It asks the same rules, and issues the same command with the same id as the detector would.
Whichever of the two comes first, the version is rolled back once.
"""

from typing import Any, Final

from rollguard.management.automatic_commands import demanded_command
from rollguard.management.closing import ClosesAtExit
from rollguard.management.tool_version_manager import ReloadsTools, ToolVersionManager
from rollguard.operations.overview.health import health_of
from schemas.settings import Settings

ISSUED_BY: Final = "monitor"


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
        commands, command = self.version_manager.automatic_commands, None
        if check_fast_rollback:
            command = await commands.immediate(tool_name, ISSUED_BY)
        if command is None:
            command = demanded_command(await self.check_health(tool_name, session_id), ISSUED_BY)
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
