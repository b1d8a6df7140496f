"""What an engine says to Rollguard and hears from it, through Kafka alone.

async with EngineClient(load_settings()) as client:
    await client.deploy("parser", code)
    await client.publish_execution(Execution(...))
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import UTC, datetime
from itertools import islice
from types import TracebackType
from typing import Final, Self, TypeVar
from uuid import UUID, uuid4

from aiokafka import AIOKafkaProducer
from pydantic import ValidationError

from rollguard.refusal import DeploymentRefused, refusal_text
from schemas.deployment import AcceptedBreak, Author, Deployment, DeploymentOutcome, ToolVersion
from schemas.errors import Rejected, Retryable, RollguardError
from schemas.execution import Execution
from schemas.fields import storable
from schemas.message import MAX_REQUEST_BYTES, Message, explain
from schemas.rollback import RollbackCommand, RollbackOutcome
from schemas.settings import Settings, load_settings
from streams.access import kafka_options
from streams.kafka_errors import connecting, kafka_errors
from streams.topic_reader import TopicReader, open_reader

__all__ = [
    "AcceptedBreak",
    "DeploymentOutcome",
    "DeploymentRefused",
    "EngineClient",
    "Execution",
    "Rejected",
    "Retryable",
    "RollbackOutcome",
    "RollguardError",
    "Settings",
    "ToolVersion",
    "load_settings",
    "refusal_text",
]

M = TypeVar("M", bound=Message)

_UNACKNOWLEDGED: Final = 1_000
"""So many records may wait for their acknowledgement at once."""


class EngineClient:
    """``async with EngineClient(settings) as client``: a producer, and readers of the outcomes.

    Every publishing method returns when the broker has acknowledged. Errors: Rejected where a
    message is wrong (by the field's name), Retryable('Kafka') where the broker does not answer
    within ``settings.wait_s`` seconds, Misconfigured where a topic is missing.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: AIOKafkaProducer

    async def __aenter__(self) -> Self:
        self._producer = AIOKafkaProducer(
            **kafka_options(self._settings),
            acks="all",
            max_request_size=MAX_REQUEST_BYTES,
            request_timeout_ms=int(self._settings.wait_s * 1000),
        )
        try:
            async with connecting(self._settings):
                await self._producer.start()
        except BaseException:
            await self._producer.stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._producer.stop()

    async def publish_execution(self, execution: Execution) -> None:
        """Publish one execution."""
        await self._publish("tool-executions", [execution])

    async def publish_executions(self, executions: Iterable[Execution]) -> None:
        """Publish many, in order for each tool. After an error some may have been published;
        sending all of them again is safe, as each ``execution_id`` counts once.
        """
        await self._publish("tool-executions", executions)

    async def publish_again(
        self, topic: str, key: bytes | None, value: bytes | None
    ) -> tuple[int, int]:
        """Publish a record as it is to a topic (full name), placed by its key; its partition and
        offset.
        """
        with kafka_errors(self._settings):
            sent = await self._producer.send_and_wait(topic, value, key=key)
        return sent.partition, sent.offset

    async def deploy(
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
    ) -> DeploymentOutcome:
        """Deploy and wait for the outcome, a refusal included (``status``; ``refusal_text`` puts it
        in words).

        ``deployed_at`` is now by default. ``accepted_breaks`` name changes that break callers and
        are meant; they are kept and shown. The same ``deployment_id`` again changes nothing and
        gets the first outcome. Retryable('applier') where none comes within ``wait_s`` seconds:
        the deployment stands in its topic and may still be applied.
        """
        deployment = _valid(
            Deployment,
            deployment_id=deployment_id or uuid4(),
            tool_name=tool_name,
            code=code,
            created_by=created_by,
            improvement_type=improvement_type,
            improvement_reason=improvement_reason,
            deployed_at=deployed_at or datetime.now(UTC),
            accepted_breaks=list(accepted_breaks) or None,
        )
        _require_size(code, self._settings.max_code_bytes)
        return await self._ask(
            "tool-deployments",
            deployment,
            "deployment-outcomes",
            DeploymentOutcome,
            lambda outcome: outcome.deployment_id == deployment.deployment_id,
        )

    async def rollback(
        self,
        tool_name: str,
        to_version_id: int,
        reason: str,
        *,
        issued_by: str = "human",
        command_id: UUID | None = None,
    ) -> RollbackOutcome:
        """Order a person's rollback to any version of the tool, and wait for the outcome.

        ``reason`` is free text. A rejection is an outcome, not an error. The same ``command_id``
        again changes nothing and gets the first outcome. Raises as :meth:`command`.
        """
        command = _valid(
            RollbackCommand,
            command_id=command_id or uuid4(),
            tool_name=tool_name,
            to_version_id=to_version_id,
            tier="manual",
            reason="manual",
            details={"reason": storable(reason)},
            issued_by=issued_by,
            issued_at=datetime.now(UTC),
        )
        return await self.command(command)

    async def command(self, command: RollbackCommand) -> RollbackOutcome:
        """Issue a rollback command, and wait for its outcome; ``held`` is one, where it waits for a
        person. Retryable('applier') where none comes within ``wait_s`` seconds: the command stands
        and may still be applied.

        Of one that is held and comes again as an answer it is what came of the answer.
        """
        return await self._ask(
            "rollback-commands",
            command,
            "rollback-outcomes",
            RollbackOutcome,
            lambda outcome: (
                outcome.command_id == command.command_id
                and not (command.is_answer and outcome.status == "held")
            ),
        )

    async def follow_outcomes(
        self, ready: asyncio.Event | None = None
    ) -> AsyncIterator[RollbackOutcome]:
        """Outcomes of rollbacks from now on, without end; ``ready`` is set when 'now' is fixed.

        At least once each, and some older ones may come first.
        """
        async for outcome in self._follow("rollback-outcomes", RollbackOutcome, ready):
            yield outcome

    async def follow_deployment_outcomes(
        self, ready: asyncio.Event | None = None
    ) -> AsyncIterator[DeploymentOutcome]:
        """Outcomes of deployments from now on, as :meth:`follow_outcomes`."""
        async for outcome in self._follow("deployment-outcomes", DeploymentOutcome, ready):
            yield outcome

    async def _publish(
        self, topic: str, messages: Iterable[Execution | Deployment | RollbackCommand]
    ) -> None:
        waiting = iter(messages)
        with kafka_errors(self._settings):
            while some := list(islice(waiting, _UNACKNOWLEDGED)):
                sent = [
                    await self._producer.send(
                        self._settings.topic_prefix + topic,
                        message.to_bytes(),
                        key=message.tool_name.encode(),
                    )
                    for message in some
                ]
                await asyncio.gather(*sent)

    async def _ask(
        self,
        topic: str,
        message: Deployment | RollbackCommand,
        answers: str,
        kind: type[M],
        is_ours: Callable[[M], bool],
    ) -> M:
        """Publish, and return the answer. Where the answers end is asked before publishing."""
        full_name = self._settings.topic_prefix + answers
        async with open_reader(self._settings, full_name, from_beginning=False) as reader:
            await self._publish(topic, [message])
            try:
                async with asyncio.timeout(self._settings.wait_s):
                    async for answer in _messages(reader, kind):
                        if is_ours(answer):
                            return answer
            except TimeoutError:
                pass
        raise Retryable(
            "applier",
            f"nothing in {full_name} about {message.tool_name!r} after {self._settings.wait_s:g} s",
        )

    async def _follow(
        self, topic: str, kind: type[M], ready: asyncio.Event | None
    ) -> AsyncIterator[M]:
        name = self._settings.topic_prefix + topic
        async with open_reader(self._settings, name, from_beginning=False) as reader:
            if ready is not None:
                ready.set()
            async for message in _messages(reader, kind):
                yield message


async def _messages(reader: TopicReader, kind: type[M]) -> AsyncIterator[M]:
    """What can be read, without end; the rest is not ours to judge."""
    while True:
        for record in await reader.poll():
            try:
                message = kind.from_bytes(record.value)
            except Rejected:
                continue
            yield message


def _valid(kind: type[M], **fields: object) -> M:
    try:
        return kind(**fields)
    except ValidationError as error:
        raise Rejected(explain(error)) from error


def _require_size(code: str, limit: int) -> None:
    try:
        size = len(code.encode())
    except UnicodeEncodeError as error:
        raise Rejected(f"code: cannot be written as UTF-8 ({error.reason})") from error
    if size > limit:
        raise Rejected(f"code: {size} bytes, more than {limit}")
