"""The messages that a role publishes; the broker acknowledges each before the work goes on."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import structlog
from aiokafka.errors import KafkaError, KafkaTimeoutError, TopicAuthorizationFailedError
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBatch
from faust.exceptions import ProducerSendError
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_random_exponential

from schemas.dead_letter import MAX_KEY_BYTES, DeadLetter
from schemas.errors import Retryable
from schemas.message import Message
from streams.driver.driver import Driver
from streams.waits import Ticket, Waits

if TYPE_CHECKING:  # it is imported only if signatures are wanted
    from rollguard_client.signatures.header import KafkaHeaders
    from signatures.signing import Signer

log = structlog.get_logger()

_ZSTD: Final = DefaultRecordBatch.CODEC_ZSTD
_COPIED_BYTES: Final = 256 * 1024
"""How large a batch of copies is, before it is compressed."""


class RecordCopy(NamedTuple):
    """The content of a record that is appended as it was read."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


class Outgoing(NamedTuple):
    """One record to be sent; the default partitioner chooses its partition by its key."""

    topic: str
    key: bytes | None
    value: bytes
    message: Message | None = None
    """The message that the value holds, if it may have to be signed."""
    headers: Sequence[tuple[str, bytes]] = ()
    """Headers besides the signature."""

    @classmethod
    def of(
        cls,
        topic: str,
        tool_name: str,
        message: Message,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> "Outgoing":
        """Return the record of a message, with the tool's name as its key."""
        return cls(topic, tool_name.encode(), message.to_bytes(), message, headers)

    @classmethod
    def dead_letter(cls, topic: str, key: bytes | None, dead_letter: DeadLetter) -> "Outgoing":
        """Return the record of a dead letter, with the key that the bad record had."""
        return cls(topic, sendable_key(key), dead_letter.to_bytes())


def sendable_key(key: bytes | None) -> bytes | None:
    """Return the key of a bad record; None if it is larger than any tool's name can be."""
    return key if key is not None and len(key) <= MAX_KEY_BYTES else None


class Outbox:
    """Sends through the role's producer, and waits without limit for a broker that is away.

    ``signer`` signs the messages of which the contract says so (section 15).
    """

    def __init__(self, driver: Driver, waits: Waits, signer: "Signer | None" = None) -> None:
        self._driver = driver
        self._waits = waits
        self._signer = signer

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        """Send in order, and return when all are acknowledged.

        If one fails, all are signed and sent again, so the topic may hold the acknowledged ones
        twice. An error that a retry cannot mend (a record that is too large) is raised.
        """
        if not messages:
            return
        await self._repeat(lambda: self._send(messages))

    async def append(self, topic: str, copies: Mapping[int, Sequence[RecordCopy]]) -> None:
        """Append copies of records to partitions, and return when all are acknowledged.

        A partition gets its copies in their order, and none before all earlier ones are
        acknowledged: so whatever fails, it never has a copy without those before it. It may have
        some twice. They are compressed, so that they take about as much as what a producer has
        compressed.
        """
        await asyncio.gather(
            *(self._append(topic, partition, each) for partition, each in copies.items())
        )

    async def _append(self, topic: str, partition: int, copies: Sequence[RecordCopy]) -> None:
        sent = 0

        async def rest() -> None:
            nonlocal sent
            while sent < len(copies):
                batch, records = _batch_of(copies, sent)
                producer: Any = self._driver.producer
                aiokafka_producer = producer._ensure_producer()
                await (await aiokafka_producer.send_batch(batch, topic, partition=partition))
                sent += records

        await self._repeat(rest)

    async def _repeat(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do the work, again and again while it fails for a reason that may pass."""
        ticket = self._waits.ticket()
        try:
            async for attempt in AsyncRetrying(
                wait=wait_random_exponential(multiplier=0.1, max=10),
                retry=retry_if_exception(_may_succeed_later),
                before_sleep=lambda state: _note_wait(ticket, state),
            ):
                with attempt:
                    await work()
        finally:
            ticket.over()

    async def publish_if_permitted(self, messages: Sequence[Outgoing]) -> bool:
        """Do the same; return False if this user may not write to a topic."""
        try:
            await self.publish(messages)
        except (ProducerSendError, TopicAuthorizationFailedError) as error:
            if not isinstance(error.__cause__ or error, TopicAuthorizationFailedError):
                raise
            return False
        return True

    async def _send(self, messages: Sequence[Outgoing]) -> None:
        producer = self._driver.producer
        sent = [
            await producer.send(
                each.topic, each.key, each.value, None, None, await self._headers(each)
            )
            for each in messages
        ]
        await asyncio.gather(*sent)

    async def _headers(self, outgoing: Outgoing) -> "KafkaHeaders | None":
        own = list(outgoing.headers)
        if self._signer is None or outgoing.message is None:
            return own or None
        return own + (await self._signer.headers(outgoing.message, outgoing.value) or []) or None


def _batch_of(copies: Sequence[RecordCopy], first: int) -> tuple[BatchBuilder, int]:
    """Return a batch of the copies from ``first`` on, and how many it has. It has at least one."""
    batch = BatchBuilder(_COPIED_BYTES, _ZSTD)
    for number in range(first, len(copies)):
        key, value, headers = copies[number]
        if batch.append(timestamp=None, key=key, value=value, headers=headers) is None:
            return batch, number - first
    return batch, len(copies) - first


def _note_wait(ticket: Ticket, state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    part = error.part if isinstance(error, Retryable) else "Kafka"
    ticket.failed(part, repr(error))
    log.warning("waiting", part=part, attempt=state.attempt_number, cause=repr(error))


def _may_succeed_later(error: BaseException) -> bool:
    if isinstance(error, ProducerSendError):
        error = error.__cause__ or error
    return isinstance(error, KafkaTimeoutError | Retryable) or (
        isinstance(error, KafkaError) and bool(error.retriable)
    )
