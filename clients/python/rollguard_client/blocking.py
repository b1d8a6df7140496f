"""The same requests for threads without an event loop: ``guard.blocking.deploy(…)``."""

from collections.abc import Iterable
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from rollguard_client.messages.deployment import AcceptedBreak, Author, Check, DeploymentOutcome
from rollguard_client.messages.execution import Execution, LaterVerdict
from rollguard_client.messages.message import Message
from rollguard_client.messages.rollback import RollbackOutcome
from rollguard_client.publishing.publisher import Publisher
from rollguard_client.registry.registry import BlockingRegistry, Registry
from rollguard_client.requests.following import BlockingFollowing, result_of
from rollguard_client.requests.requester import Requester
from rollguard_client.settings.settings import Settings

M = TypeVar("M", bound=Message)


class Blocking:
    """What ``Rollguard`` does with ``await``, without it. Any thread may call this."""

    def __init__(
        self,
        settings: Settings,
        requester: Requester,
        publisher: Publisher,
        registry: Registry,
    ) -> None:
        self._settings = settings
        self._requester = requester
        self._publisher = publisher
        self.registry = BlockingRegistry(registry)

    def publish(self, message: Execution | LaterVerdict) -> None:
        """Publish an execution, or what a judge says of one (``Rollguard.publish``)."""
        self._publisher.publish(message)

    def deploy(
        self,
        tool_name: str,
        code: str,
        *,
        created_by: Author = "human",
        improvement_type: str = "initial",
        improvement_reason: str | None = None,
        deployed_at: datetime | None = None,
        deployment_id: UUID | None = None,
        accepted_breaks: Iterable[AcceptedBreak] = (),
        checks: Iterable[Check] = (),
    ) -> DeploymentOutcome:
        """Deploy code as the tool's new version, and return the outcome (``Rollguard.deploy``)."""
        return result_of(
            self._requester.deploy(
                tool_name,
                code,
                created_by=created_by,
                improvement_type=improvement_type,
                improvement_reason=improvement_reason,
                deployed_at=deployed_at,
                deployment_id=deployment_id,
                accepted_breaks=accepted_breaks,
                checks=checks,
            )
        )

    def rollback(
        self,
        tool_name: str,
        to_version_id: int,
        reason: str,
        *,
        issued_by: str | None = None,
        command_id: UUID | None = None,
    ) -> RollbackOutcome:
        """Order a rollback in the name of a person; return its outcome (``Rollguard.rollback``)."""
        return result_of(
            self._requester.rollback(
                tool_name, to_version_id, reason, issued_by=issued_by, command_id=command_id
            )
        )

    def follow(self, *kinds: type[M]) -> BlockingFollowing[M]:
        """Return the messages of these kinds from now on (``Rollguard.follow``)."""
        return BlockingFollowing(self._settings, self._requester, kinds)
