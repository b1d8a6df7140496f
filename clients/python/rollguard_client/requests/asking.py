"""One request, published for the applier, and its answer."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from aiokafka import AIOKafkaProducer

from rollguard_client.errors import Rejected, Retryable
from rollguard_client.kafka.access import kafka_options
from rollguard_client.kafka.errors import connecting, kafka_errors
from rollguard_client.kafka.reader import TopicReader, open_reader
from rollguard_client.kafka.topics import Topics
from rollguard_client.messages.deployment import Deployment, DeploymentOutcome
from rollguard_client.messages.message import MAX_REQUEST_BYTES, Message
from rollguard_client.messages.rollback import RollbackCommand, RollbackOutcome
from rollguard_client.settings.settings import Settings
from rollguard_client.signatures.header import KafkaHeaders
from rollguard_client.signatures.signing import Signatures

M = TypeVar("M", bound=Message)


async def deploy(
    settings: Settings, signatures: Signatures, deployment: Deployment
) -> DeploymentOutcome:
    """Publish a deployment, and return its outcome. Raises what ``_ask`` raises."""
    topics = Topics(settings.topic_prefix)
    asked = deployment.tool_name, deployment.deployment_id
    return await _ask(
        settings,
        signatures,
        (topics.deployments, deployment),
        (topics.deployment_outcomes, DeploymentOutcome),
        lambda outcome: (outcome.tool_name, outcome.deployment_id) == asked,
        f"deployment {deployment.deployment_id}",
    )


async def roll_back(
    settings: Settings, signatures: Signatures, command: RollbackCommand
) -> RollbackOutcome:
    """Publish a command, and return its outcome. Raises what ``_ask`` raises."""
    topics = Topics(settings.topic_prefix)
    # An id counts within its tool, and those of automatic commands are apart from those of persons.
    asked = command.tool_name, command.command_id, command.tier != "manual"
    return await _ask(
        settings,
        signatures,
        (topics.commands, command),
        (topics.outcomes, RollbackOutcome),
        lambda outcome: (
            (outcome.tool_name, outcome.command_id, outcome.is_automatic) == asked
            and not (command.is_answer and outcome.status == "held")
        ),
        f"command {command.command_id}",
    )


async def _ask(
    settings: Settings,
    signatures: Signatures,
    request: tuple[str, Deployment | RollbackCommand],
    answers: tuple[str, type[M]],
    is_ours: Callable[[M], bool],
    named: str,
) -> M:
    """Publish the request, and return its answer.

    The reader of the answers is opened before the request is published, so that it cannot miss the
    answer. Raises Retryable if Kafka does not answer, or the applier within ``wait_s`` seconds;
    Misconfigured; Rejected if the record is too large.
    """
    (topic, message), (answer_topic, kind) = request, answers
    value = message.to_bytes()
    headers = signatures.headers(message, value)
    async with open_reader(settings, answer_topic) as reader:
        await _publish(settings, topic, message.tool_name.encode(), value, headers)
        try:
            return await asyncio.wait_for(_first(reader, kind, is_ours), settings.wait_s)
        except asyncio.TimeoutError:
            pass
    raise Retryable(
        "applier",
        f"nothing in {answer_topic} about {message.tool_name!r} after {settings.wait_s:g} s; "
        f"is an applier running? The {named} may still be carried out",
    )


async def _publish(
    settings: Settings, topic: str, key: bytes, value: bytes, headers: KafkaHeaders | None
) -> None:
    producer: Any = AIOKafkaProducer(
        **kafka_options(settings),
        acks="all",
        max_request_size=MAX_REQUEST_BYTES,
        request_timeout_ms=int(settings.wait_s * 1000),
    )
    try:
        async with connecting(settings):
            await producer.start()
        with kafka_errors(settings):
            await producer.send_and_wait(topic, value, key=key, headers=headers)
    finally:
        await producer.stop()


async def _first(reader: TopicReader, kind: type[M], is_ours: Callable[[M], bool]) -> M:
    while True:
        for record in await reader.poll():
            try:
                answer = kind.from_bytes(record.value)
            except Rejected:
                continue  # a bad record is nobody's answer
            if is_ours(answer):
                return answer
