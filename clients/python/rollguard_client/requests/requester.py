"""What an engine or a person asks of the applier: deployments and rollbacks."""

import getpass
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import Future
from datetime import datetime, timezone
from typing import Any
from uuid import UUID, uuid4

from rollguard_client.errors import Misconfigured, Rejected
from rollguard_client.messages.deployment import (
    AcceptedBreak,
    Author,
    Check,
    Deployment,
    DeploymentOutcome,
)
from rollguard_client.messages.fields import storable
from rollguard_client.messages.rollback import RollbackCommand, RollbackOutcome
from rollguard_client.publishing.publisher import Publisher
from rollguard_client.requests.asking import deploy, roll_back
from rollguard_client.requests.following import T
from rollguard_client.settings.settings import Settings
from rollguard_client.signatures.signing import Signatures


class Requester:
    """Checks requests, and sends them in the background loop."""

    def __init__(self, settings: Settings, publisher: Publisher) -> None:
        """Read the signing key, if there is one. Raises Misconfigured."""
        self._settings = settings
        self._publisher = publisher
        self._signatures = Signatures(settings)

    def submit(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        """Begin work in the background loop. Raises Misconfigured if the client was closed."""
        background = self._publisher.background
        if background.is_current_thread:
            work.close()
            raise Misconfigured("this was called in the background thread, which would wait")
        self._publisher.start()
        if not background.is_running:
            work.close()
            raise Misconfigured("the client was closed")
        return background.submit(work)

    def call(self, function: Callable[[], None]) -> None:
        """Call a function in the background loop, soon."""
        self._publisher.background.call(function)

    def deploy(
        self,
        tool_name: str,
        code: str,
        *,
        created_by: Author,
        improvement_type: str,
        improvement_reason: str | None,
        deployed_at: datetime | None,
        deployment_id: UUID | None,
        accepted_breaks: Iterable[AcceptedBreak],
        checks: Iterable[Check],
    ) -> "Future[DeploymentOutcome]":
        """Begin a deployment. Raises Rejected if a field is wrong."""
        deployment = Deployment(
            deployment_id=deployment_id or uuid4(),
            tool_name=tool_name,
            code=code,
            created_by=created_by,
            improvement_type=improvement_type,
            improvement_reason=improvement_reason,
            deployed_at=deployed_at or datetime.now(timezone.utc),
            accepted_breaks=list(accepted_breaks) or None,
            checks=list(checks) or None,
        )
        size, limit = len(code.encode()), self._settings.max_code_bytes
        if size > limit:
            raise Rejected(f"code: {size} bytes, more than {limit} (ROLLGUARD_MAX_CODE_BYTES)")
        return self.submit(deploy(self._settings, self._signatures, deployment))

    def rollback(
        self,
        tool_name: str,
        to_version_id: int,
        reason: str,
        *,
        issued_by: str | None,
        command_id: UUID | None,
    ) -> "Future[RollbackOutcome]":
        """Begin a rollback in the name of a person. Raises Rejected if a field is wrong."""
        command = RollbackCommand(
            command_id=command_id or uuid4(),
            tool_name=tool_name,
            to_version_id=to_version_id,
            tier="manual",
            reason="manual",
            details={"reason": storable(reason)},
            issued_by=issued_by or _login_name() or "unknown",
            issued_at=datetime.now(timezone.utc),
        )
        return self.submit(roll_back(self._settings, self._signatures, command))


def _login_name() -> str | None:
    """Return the login name; None where there is none, such as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return None
