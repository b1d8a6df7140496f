"""Rollguard's public API: version management, the engine client, the command line."""

# Not from typing: the command line must be able to meet Ctrl-C before it imports anything.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from rollguard.management.deployment_monitor import DeploymentMonitor
    from rollguard.management.tool_version_manager import ToolVersionManager

__all__ = ["DeploymentMonitor", "ToolVersionManager"]


def __getattr__(name: str) -> "Any":
    """Import a class when it is asked for: an engine that needs only the client has no Postgres."""
    if name == "ToolVersionManager":
        from rollguard.management.tool_version_manager import ToolVersionManager

        return ToolVersionManager
    if name == "DeploymentMonitor":
        from rollguard.management.deployment_monitor import DeploymentMonitor

        return DeploymentMonitor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
