"""The client of Rollguard: it publishes executions of tools, and follows their versions."""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rollguard_client.calls.failures import ToolFailed
    from rollguard_client.errors import (
        Misconfigured,
        Missing,
        Rejected,
        Retryable,
        RollguardError,
    )
    from rollguard_client.guard import Rollguard
    from rollguard_client.messages.deployment import (
        AcceptedBreak,
        Check,
        DeploymentOutcome,
        ToolVersion,
    )
    from rollguard_client.messages.execution import ErrorOrigin, Execution, LaterVerdict
    from rollguard_client.messages.rollback import RollbackOutcome
    from rollguard_client.registry.child.child_loader import ChildLoader
    from rollguard_client.registry.loading import LoadedTool, Loader
    from rollguard_client.registry.swaps import Swap
    from rollguard_client.settings.settings import Settings, load_settings
    from rollguard_client.spans.processor import RollguardSpanProcessor as RollguardSpanProcessor

__all__ = [
    "AcceptedBreak",
    "Check",
    "ChildLoader",
    "DeploymentOutcome",
    "ErrorOrigin",
    "Execution",
    "LaterVerdict",
    "LoadedTool",
    "Loader",
    "Misconfigured",
    "Missing",
    "Rejected",
    "Retryable",
    "RollbackOutcome",
    "Rollguard",
    "RollguardError",
    "Settings",
    "Swap",
    "ToolFailed",
    "ToolVersion",
    "load_settings",
]

_MODULES: Final = {
    "calls.failures": ("ToolFailed",),
    "errors": ("Misconfigured", "Missing", "Rejected", "Retryable", "RollguardError"),
    "guard": ("Rollguard",),
    "messages.deployment": ("AcceptedBreak", "Check", "DeploymentOutcome", "ToolVersion"),
    "messages.execution": ("ErrorOrigin", "Execution", "LaterVerdict"),
    "messages.rollback": ("RollbackOutcome",),
    "registry.child.child_loader": ("ChildLoader",),
    "registry.loading": ("LoadedTool", "Loader"),
    "registry.swaps": ("Swap",),
    "settings.settings": ("Settings", "load_settings"),
    "spans.processor": ("RollguardSpanProcessor",),
}
_MODULE_OF: Final = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a name when it is asked for: whoever needs a part of the client pays for that part."""
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{module}"), name)
    globals()[name] = found
    return found
