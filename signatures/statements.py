"""The messages of the server that are signed.

The statements are the client's (``rollguard_client.signatures.statements``), so that there is one
definition of them.
"""

from collections.abc import Callable
from typing import Any, Final

from rollguard_client.signatures import statements
from rollguard_client.signatures.statements import statement_of
from schemas.deployment import Deployment, ToolVersion
from schemas.execution import Activation
from schemas.rollback import RollbackCommand

__all__ = ["SignedMessage", "statement_of"]

SignedMessage = Deployment | Activation | ToolVersion | RollbackCommand
"""The messages that are signed. Executions never are."""

_SPOKEN: Final[dict[type, Callable[..., Any]]] = {
    Deployment: statements.deployment_spoken,
    RollbackCommand: statements.command_spoken,
    Activation: statements.activation_spoken,
    ToolVersion: statements.version_spoken,
}
for _kind, _spoken in _SPOKEN.items():
    statements.spoken.register(_kind, _spoken)
