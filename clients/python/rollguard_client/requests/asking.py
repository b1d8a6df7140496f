"""One request, published for the applier, and its answer."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar

from aiokafka import AIOKafkaProducer

from rollguard_client.errors import Misconfigured, Rejected, Retryable
from rollguard_client.kafka.access import KafkaSettings, kafka_options
from rollguard_client.kafka.errors import connecting, kafka_errors
from rollguard_client.messages.message import MAX_REQUEST_BYTES

A = TypeVar("A")
Headers = Sequence[tuple[str, bytes]]
_UNACKNOWLEDGED: Final = 1_000
"""How many records may wait for their acknowledgement at once."""


class Record(NamedTuple):
    """A record that is to be published."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers | None = None


class Polls(Protocol):
    """A reader of answers, which yields only what is published from now on, or a little before."""

    async def poll(self) -> Sequence[Any]:
        """Return the next records."""


@dataclass(frozen=True)
class Answers(Generic[A]):
    """Where the answer to a request comes, and how it is known."""

    topic: str
    reader: AbstractAsyncContextManager[Polls]
    read: Callable[[bytes | None], A]
    """Makes an answer of a record's value. Raises Rejected."""
    is_ours: Callable[[A], bool]


class Producer:
    """Publishes records, and returns after the broker has acknowledged them."""

    def __init__(self, settings: KafkaSettings, producer: Any) -> None:
        self._settings = settings
        self._producer = producer

    async def require_topic(self, topic: str) -> None:
        """Raise Misconfigured if the topic is missing, or may not be seen. Raises Retryable."""
        with kafka_errors(self._settings):
            # Ask for all topics: asking for a single one would create it, if the broker allows it.
            cluster = await self._producer.client.fetch_all_metadata()
        if not cluster.partitions_for_topic(topic):
            raise Misconfigured(f"{topic} is missing, or may not be written to")

    async def publish(self, record: Record) -> tuple[int, int]:
        """Publish a record, return its partition and offset. Raises as ``kafka_errors`` does."""
        with kafka_errors(self._settings):
            sent = await self._producer.send_and_wait(
                record.topic, record.value, key=record.key, headers=record.headers
            )
        return sent.partition, sent.offset

    async def publish_all(self, records: Iterable[Record]) -> None:
        """Publish many records; those with one key keep their order. Raises as above."""
        waiting = iter(records)
        with kafka_errors(self._settings):
            while some := list(islice(waiting, _UNACKNOWLEDGED)):
                sent = [
                    await self._producer.send(
                        each.topic, each.value, key=each.key, headers=each.headers
                    )
                    for each in some
                ]
                await asyncio.gather(*sent)

    async def ask(self, request: Record, answers: Answers[A], named: str, tool_name: str) -> A:
        """Publish a request about a tool, and return its answer.

        The reader of the answers is opened before the request is published, so that it cannot miss
        the answer. Raises Retryable if Kafka does not answer, or the applier within ``wait_s``
        seconds; Misconfigured; Rejected if the record is too large.
        """
        wait_s = self._settings.wait_s
        async with answers.reader as reader:
            await self.publish(request)
            try:
                return await asyncio.wait_for(_first(reader, answers), wait_s)
            except asyncio.TimeoutError:
                pass
        raise Retryable(
            "applier",
            f"nothing in {answers.topic} about {tool_name!r} after {wait_s:g} s; "
            f"is an applier running? The {named} may still be carried out",
        )


@asynccontextmanager
async def open_producer(settings: KafkaSettings) -> AsyncIterator[Producer]:
    """Open a producer. Raises Retryable if no broker answers, Misconfigured if one refuses us."""
    producer: Any = AIOKafkaProducer(
        **kafka_options(settings),
        acks="all",
        max_request_size=MAX_REQUEST_BYTES,
        request_timeout_ms=int(settings.wait_s * 1000),
    )
    try:
        async with connecting(settings):
            await producer.start()
        yield Producer(settings, producer)
    finally:
        await producer.stop()


async def messages_of(reader: Polls, read: Callable[[bytes | None], A]) -> AsyncIterator[A]:
    """Yield the messages that can be read, without end; skip those that cannot."""
    while True:
        for record in await reader.poll():
            try:
                message = read(record.value)
            except Rejected:
                continue
            yield message


async def _first(reader: Polls, answers: Answers[A]) -> A:
    async for answer in messages_of(reader, answers.read):
        if answers.is_ours(answer):
            return answer
    raise AssertionError("the messages have no end")
