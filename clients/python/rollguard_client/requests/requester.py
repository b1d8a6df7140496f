"""What an engine or a person asks of the applier: deployments and rollbacks."""

from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import Future
from datetime import datetime, timezone
from typing import Any
from uuid import UUID, uuid4

from rollguard_client.errors import Misconfigured, Rejected
from rollguard_client.kafka.reader import open_reader
from rollguard_client.kafka.topics import Topics
from rollguard_client.login_name import login_name
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
from rollguard_client.requests.asking import A, Answers, Headers, Record, open_producer
from rollguard_client.requests.following import T
from rollguard_client.settings.settings import Settings
from rollguard_client.signatures.signing import Signatures
from rollguard_client.traces.current import current_trace_headers


class Requester:
    """Checks requests, and sends them in the background loop."""

    def __init__(self, settings: Settings, publisher: Publisher) -> None:
        """Read the signing key, if there is one. Raises Misconfigured."""
        self._settings = settings
        self._publisher = publisher
        self._signatures = Signatures(settings)

    @property
    def publisher(self) -> Publisher:
        """What publishes executions, whose loop is used here."""
        return self._publisher

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

    def on_fork(self, function: Callable[[], None]) -> None:
        """Call this in each child that the process forks."""
        self._publisher.on_fork.append(function)

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
        topics = Topics(self._settings.topic_prefix)
        asked = tool_name, deployment.deployment_id
        return self.submit(
            self._ask(
                topics.deployments,
                deployment,
                current_trace_headers(),
                Answers(
                    topics.deployment_outcomes,
                    open_reader(self._settings, topics.deployment_outcomes),
                    DeploymentOutcome.from_bytes,
                    lambda outcome: (outcome.tool_name, outcome.deployment_id) == asked,
                ),
                f"deployment {deployment.deployment_id}",
            )
        )

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
        if not isinstance(reason, str):
            raise Rejected(f"reason: a text is expected, not {type(reason).__name__}")
        command = RollbackCommand(
            command_id=command_id or uuid4(),
            tool_name=tool_name,
            to_version_id=to_version_id,
            tier="manual",
            reason="manual",
            details={"reason": storable(reason)},
            issued_by=issued_by or login_name() or "unknown",
            issued_at=datetime.now(timezone.utc),
        )
        topics = Topics(self._settings.topic_prefix)
        # An id counts in its tool, and those of automatic commands are apart from those of persons.
        asked = tool_name, command.command_id, False
        return self.submit(
            self._ask(
                topics.commands,
                command,
                current_trace_headers(),
                Answers(
                    topics.outcomes,
                    open_reader(self._settings, topics.outcomes),
                    RollbackOutcome.from_bytes,
                    lambda outcome: (
                        (outcome.tool_name, outcome.command_id, outcome.is_automatic) == asked
                    ),
                ),
                f"command {command.command_id}",
            )
        )

    async def _ask(
        self,
        topic: str,
        message: Deployment | RollbackCommand,
        trace: Headers,
        answers: Answers[A],
        named: str,
    ) -> A:
        value, key = message.to_bytes(), message.tool_name.encode()
        headers = [*(self._signatures.headers(message, value) or ()), *trace]
        request = Record(topic, key, value, headers or None)
        async with open_producer(self._settings) as producer:
            return await producer.ask(request, answers, named, message.tool_name)
