"""Version management through a console.

async with ToolVersionManager(url="https://rollguard.example.com", token="…") as version_manager:
    version_id = await version_manager.create_version("parser", code)

Without arguments, ``ROLLGUARD_URL`` and ``ROLLGUARD_TOKEN`` name the console. Methods, arguments
and results are those of ``rollguard.ToolVersionManager`` and ``rollguard.DeploymentMonitor``. Every
method raises ``Retryable`` if the console, or a part behind it, does not answer, and
``Misconfigured`` if another program answers, or if the token is wrong.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from rollguard_client.http.reloading import ReloadsTools, tell
from rollguard_client.http.requests import Requests
from rollguard_client.http.where import console_of
from rollguard_client.messages.deployment import AcceptedBreak, Author, Check
from rollguard_client.settings.settings import Settings
from rollguard_client.threads import in_thread


class ToolVersionManager:
    """The versions of tools: ``async with ToolVersionManager() as version_manager``.

    Args:
        execution_store: Kept for engines that pass a store here. Settings may be passed; anything
            else is ignored.
        tool_registry: Told of each deployment and rollback that is made by this manager.
        url: The address of a console; by default that of the settings.
        token: The token for this console. That of the settings goes to their address alone.
        settings: By default those of the environment.
    """

    def __init__(
        self,
        execution_store: object = None,
        tool_registry: ReloadsTools | None = None,
        *,
        url: str | None = None,
        token: str | None = None,
        settings: Settings | None = None,
    ) -> None:
        self.requests = Requests(console_of(execution_store, url, token, settings))
        self.tool_registry = tool_registry

    async def __aenter__(self) -> "ToolVersionManager":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Do nothing: no connection is kept."""

    async def create_version(
        self,
        tool_name: str,
        code: str,
        created_by: Author = "human",
        improvement_type: str = "initial",
        improvement_reason: str | None = None,
        previous_version_id: int | None = None,
        *,
        accepted_breaks: Iterable[AcceptedBreak] = (),
        checks: Iterable[Check] = (),
        deployment_id: UUID | None = None,
    ) -> int:
        """Make this code the tool's current version, and return the version's id.

        If the code is current already, no new version is made, and the current id is returned.

        Args:
            tool_name: The tool. Its first version creates it.
            code: The source text.
            created_by: Who made the version: ``human`` or ``autonomous``.
            improvement_type: What kind of change it is, such as ``bug_fix``; kept and shown.
            improvement_reason: Why it was made; kept and shown.
            previous_version_id: If it is given, it must be the id of the current version.
            accepted_breaks: Changes that break callers and that you intend; kept and shown.
            checks: Checks that you made of the code; kept and shown.
            deployment_id: The id of this request. To repeat it changes nothing and returns the
                first result.

        Raises:
            Rejected: A ``ValueError`` too. It names the field that is wrong.
            DeploymentRefused: A ``Rejected``. It says why the code was refused.
            DeploymentHeld: A ``Rejected``. The code waits for a person.
            Retryable: A part did not answer in time; the deployment may still be applied.
        """
        version_id = await in_thread(
            self.requests.create,
            tool_name,
            code,
            created_by,
            improvement_type,
            improvement_reason,
            previous_version_id,
            accepted_breaks,
            checks,
            deployment_id,
        )
        await self.tell_registry(tool_name)
        return version_id

    async def get_current_version(self, tool_name: str) -> dict[str, Any] | None:
        """Return the current version with its code and metrics; None if the tool has no versions.

        ``success_rate`` is from 0 to 1, and NaN until the version was executed. ``created_at`` and
        ``activated_at`` are times; other times, and those of its parts, are texts (RFC 3339).
        """
        return await in_thread(self.requests.current, tool_name)

    async def get_version_history(self, tool_name: str, limit: int = 50) -> list[dict[str, Any]]:
        """Return the newest ``limit`` versions, the newest first; none if the tool has none."""
        return await in_thread(self.requests.history, tool_name, limit)

    async def rollback_to_version(
        self,
        tool_name: str,
        version_id: int,
        reason: str,
        *,
        issued_by: str | None = None,
        command_id: UUID | None = None,
    ) -> dict[str, Any]:
        """Make any version of the tool current, an older or a newer one.

        It is a person's rollback, unless ``reason`` is that of a rule that holds now and no
        ``command_id`` is given. In the result ``success`` says whether it was done. If so,
        ``rolled_back_to_version`` is the version's number. If not, ``error`` says why. To repeat a
        ``command_id`` changes nothing and returns the first result.
        """
        result = await in_thread(
            self.requests.roll_back, tool_name, version_id, reason, issued_by, command_id
        )
        if result["success"]:
            await self.tell_registry(tool_name)
        return result

    async def compare_versions(
        self, tool_name: str, from_version_id: int, to_version_id: int
    ) -> dict[str, Any]:
        """Compare two versions of a tool: code, what breaks for callers, and metrics.

        A number that is not known is NaN.
        """
        return await in_thread(self.requests.compare, tool_name, from_version_id, to_version_id)

    async def check_immediate_rollback_needed(
        self, tool_name: str, at: datetime | str | None = None
    ) -> tuple[bool, str | None, dict[str, Any]]:
        """Say whether an immediate rule demands a rollback of the current version.

        Returns whether one is needed, the reason (None if not), and the evidence (empty if not).
        ``at`` is a time with an offset that counts as now.
        """
        return await in_thread(self.requests.immediate, tool_name, at)

    async def update_version_metrics(
        self, tool_name: str, version_id: int | None = None
    ) -> dict[str, Any]:
        """Count a version's executions again, and correct its metrics if they differ.

        The result has ``changed``, and the metrics ``before`` and ``after``.
        """
        return await in_thread(self.requests.recount, tool_name, version_id)

    async def tell_registry(self, tool_name: str) -> None:
        """Tell the registry which version is current, if there is a registry."""
        if self.tool_registry is not None:
            await tell(self.tool_registry, self.requests, tool_name)


class DeploymentMonitor:
    """The health of current versions: ``async with DeploymentMonitor() as monitor``.

    Without a ``version_manager`` the monitor makes one from the other arguments.
    """

    def __init__(
        self,
        execution_store: object = None,
        tool_registry: ReloadsTools | None = None,
        version_manager: ToolVersionManager | None = None,
        *,
        url: str | None = None,
        token: str | None = None,
        settings: Settings | None = None,
    ) -> None:
        self.version_manager = version_manager or ToolVersionManager(
            execution_store, tool_registry, url=url, token=token, settings=settings
        )

    async def __aenter__(self) -> "DeploymentMonitor":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Do nothing: no connection is kept."""

    async def check_health(self, tool_name: str, session_id: str | None = None) -> dict[str, Any]:
        """Ask the detector what all rules say now.

        The result has ``needs_rollback``, ``tier``, ``reason``, ``details`` and the windows, and of
        the widest one ``total_executions``, ``success_rate``, ``baseline_success_rate`` and
        ``success_rate_drop``. ``session_id`` is only returned.
        """
        return await in_thread(self.version_manager.requests.health, tool_name, session_id)

    async def auto_rollback_if_needed(
        self, tool_name: str, session_id: str | None = None, check_fast_rollback: bool = True
    ) -> dict[str, Any]:
        """Roll the current version back if a rule demands it, as the detector would.

        ``rollback_performed`` says whether it was. ``type`` is ``fast``, ``standard``, or None if
        no rule demanded it. ``check_fast_rollback=False`` skips the immediate rules on the
        executions in Postgres. ``session_id`` is only returned.
        """
        manager = self.version_manager
        result = await in_thread(
            manager.requests.roll_back_if_needed, tool_name, session_id, check_fast_rollback
        )
        if result["rollback_performed"]:
            await manager.tell_registry(tool_name)
        return result
