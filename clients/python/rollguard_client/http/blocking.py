"""Version management through a console, for threads without an event loop.

version_manager = ToolVersionManager(url="https://rollguard.example.com", token="…")
version_id = version_manager.create_version("parser", code)

Any thread may call every method. Arguments, results and errors are those of the coroutines of
``rollguard_client.http.ToolVersionManager`` and ``rollguard_client.http.DeploymentMonitor``.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from rollguard_client.http.events import follow
from rollguard_client.http.reloading import ReloadsTools, tell_at_once
from rollguard_client.http.requests import Requests
from rollguard_client.http.where import console_of
from rollguard_client.messages.deployment import AcceptedBreak, Author, Check
from rollguard_client.settings.settings import Settings

__all__ = ["DeploymentMonitor", "ToolVersionManager", "follow"]


class ToolVersionManager:
    """The versions of tools; see ``rollguard_client.http.ToolVersionManager``."""

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

    def __enter__(self) -> "ToolVersionManager":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Do nothing: no connection is kept."""

    def create_version(
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
        """Make this code the tool's current version, and return the version's id."""
        version_id = self.requests.create(
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
        self.tell_registry(tool_name)
        return version_id

    def get_current_version(self, tool_name: str) -> dict[str, Any] | None:
        """Return the current version with code and metrics; None if the tool has no versions."""
        return self.requests.current(tool_name)

    def get_version_history(self, tool_name: str, limit: int = 50) -> list[dict[str, Any]]:
        """Return the newest ``limit`` versions, the newest first; none if the tool has none."""
        return self.requests.history(tool_name, limit)

    def rollback_to_version(
        self,
        tool_name: str,
        version_id: int,
        reason: str,
        *,
        issued_by: str | None = None,
        command_id: UUID | None = None,
    ) -> dict[str, Any]:
        """Make any version of the tool current, an older or a newer one."""
        result = self.requests.roll_back(tool_name, version_id, reason, issued_by, command_id)
        if result["success"]:
            self.tell_registry(tool_name)
        return result

    def compare_versions(
        self, tool_name: str, from_version_id: int, to_version_id: int
    ) -> dict[str, Any]:
        """Compare two versions of a tool: code, what breaks for callers, and metrics."""
        return self.requests.compare(tool_name, from_version_id, to_version_id)

    def check_immediate_rollback_needed(
        self, tool_name: str, at: datetime | str | None = None
    ) -> tuple[bool, str | None, dict[str, Any]]:
        """Say whether an immediate rule demands a rollback of the current version."""
        return self.requests.immediate(tool_name, at)

    def update_version_metrics(
        self, tool_name: str, version_id: int | None = None
    ) -> dict[str, Any]:
        """Count a version's executions again, and correct its metrics if they differ."""
        return self.requests.recount(tool_name, version_id)

    def tell_registry(self, tool_name: str) -> None:
        """Tell the registry which version is current, if there is a registry."""
        if self.tool_registry is not None:
            tell_at_once(self.tool_registry, self.requests, tool_name)


class DeploymentMonitor:
    """The health of current versions; see ``rollguard_client.http.DeploymentMonitor``."""

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

    def __enter__(self) -> "DeploymentMonitor":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Do nothing: no connection is kept."""

    def check_health(self, tool_name: str, session_id: str | None = None) -> dict[str, Any]:
        """Ask the detector what all rules say now."""
        return self.version_manager.requests.health(tool_name, session_id)

    def auto_rollback_if_needed(
        self, tool_name: str, session_id: str | None = None, check_fast_rollback: bool = True
    ) -> dict[str, Any]:
        """Roll the current version back if a rule demands it."""
        manager = self.version_manager
        result = manager.requests.roll_back_if_needed(tool_name, session_id, check_fast_rollback)
        if result["rollback_performed"]:
            manager.tell_registry(tool_name)
        return result
