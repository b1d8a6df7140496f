"""The client of Rollguard: it publishes executions of tools, and follows their versions."""

from rollguard_client.errors import Misconfigured, Rejected, Retryable, RollguardError
from rollguard_client.guard import Rollguard
from rollguard_client.messages.deployment import (
    AcceptedBreak,
    Check,
    DeploymentOutcome,
    ToolVersion,
)
from rollguard_client.messages.execution import ErrorOrigin, Execution, LaterVerdict
from rollguard_client.messages.rollback import RollbackOutcome
from rollguard_client.settings.settings import Settings, load_settings

__all__ = [
    "AcceptedBreak",
    "Check",
    "DeploymentOutcome",
    "ErrorOrigin",
    "Execution",
    "LaterVerdict",
    "Misconfigured",
    "Rejected",
    "Retryable",
    "RollbackOutcome",
    "Rollguard",
    "RollguardError",
    "Settings",
    "ToolVersion",
    "load_settings",
]
