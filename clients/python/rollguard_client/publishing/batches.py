"""Sending records: batches of one partition each, placed as Kafka's default partitioner does.

aiokafka's own ``send`` takes several times as long for each record, because it makes a future and
looks up the partition each time.
"""

import asyncio
import logging
import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    IncompatibleBrokerVersion,
    InvalidMessageError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    UnknownError,
    UnknownTopicOrPartitionError,
    UnsupportedVersionError,
)
from aiokafka.partitioner import murmur2

from rollguard_client.kafka.access import kafka_options
from rollguard_client.publishing.buffer import Record
from rollguard_client.settings.settings import Settings

log = logging.getLogger("rollguard_client")

_BATCH_BYTES: Final = 512 * 1024
"""Half of what a broker accepts by default."""
_REQUEST_MS: Final = 20_000
_RETRY_MS: Final = 250
_GIVES_NO_ID: Final = (
    ClusterAuthorizationFailedError,
    IncompatibleBrokerVersion,
    UnknownError,
    UnsupportedVersionError,
)
REFUSED: Final = (MessageSizeTooLargeError, RecordListTooLargeError, InvalidMessageError)
"""Errors about a record itself."""


class Sent(NamedTuple):
    """What became of some records: which are in Kafka, which wait, and the first error."""

    acknowledged: int
    refused: int
    left: list[Record]
    error: BaseException | None


@lru_cache(maxsize=65_536)
def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of a key, by the default (murmur2) partitioner of Java and aiokafka."""
    hashed: int = murmur2(key)
    return (hashed & 0x7FFFFFFF) % partitions


class BatchSender:
    """A connection that sends records exactly once as long as it lives.

    The broker knows it by an id and numbers its batches, and a batch is sent again with its number
    until the broker answers. So ``send`` returns only when the broker has answered about all. After
    an error a new connection is needed.
    """

    def __init__(self, settings: Settings, topic: str) -> None:
        self._settings = settings
        self._topic = topic
        self._producer: Any = None

    async def start(self) -> None:
        """Connect. Raises what aiokafka raises.

        Some brokers give no ids. A batch whose answer is lost may then be there twice; the
        executions have the same ids both times, and count once.
        """
        try:
            await self._start(enable_idempotence=True)
        except _GIVES_NO_ID as error:
            log.debug("Kafka gives no producer id: %r", error)
            await self._start(acks="all")

    async def _start(self, **options: Any) -> None:
        producer = AIOKafkaProducer(
            **kafka_options(self._settings),
            **options,
            max_batch_size=_BATCH_BYTES,
            max_request_size=_BATCH_BYTES * 2,
            request_timeout_ms=_REQUEST_MS,
            retry_backoff_ms=_RETRY_MS,
        )
        # aiokafka gives up a batch that is older than the timeout, although the broker may have
        # it: the broker was away, or comes back and has no leaders at first.
        producer._message_accumulator._batch_ttl = math.inf
        try:
            await producer.start()
        except BaseException:
            await producer.stop()
            raise
        self._producer = producer

    async def stop(self, wait_s: float) -> None:
        """Close the connection; after ``wait_s`` seconds give up what was not answered."""
        try:
            await asyncio.wait_for(self._producer.stop(), wait_s)
        except (asyncio.TimeoutError, KafkaError):
            await self._producer.client.close()
            if self._producer._sender.sender_task is not None:
                self._producer._sender.sender_task.cancel()

    async def send(self, records: Sequence[Record]) -> Sent:
        """Send the records, and return what became of them; of each partition those that fit."""
        partitions = await self._producer.partitions_for(self._topic)
        if not partitions:
            raise UnknownTopicOrPartitionError(self._topic)
        count = len(partitions)
        batches: dict[int, Any] = {}
        inside: dict[int, list[Record]] = {}
        left: dict[int, list[Record]] = {}
        for record in records:
            partition = partition_of(record.key, count)
            batch = batches.get(partition)
            if batch is None:
                batch = batches[partition] = self._producer.create_batch()
                inside[partition] = []
                left[partition] = []
            taken = batch.append(
                timestamp=None, key=record.key, value=record.value, headers=record.headers
            )
            if taken is None:
                left[partition].append(record)
            else:
                inside[partition].append(record)
        futures = {
            partition: await self._producer.send_batch(batch, self._topic, partition=partition)
            for partition, batch in batches.items()
        }
        await asyncio.wait(futures.values())
        return told(futures, inside, left)


def told(
    futures: dict[int, "asyncio.Future[Any]"],
    inside: dict[int, list[Record]],
    left: dict[int, list[Record]],
) -> Sent:
    """Return what the broker has answered. A batch of one record that it refuses is refused."""
    acknowledged, refused, first = 0, 0, None
    waiting: list[Record] = []
    for partition, future in futures.items():
        error = future.exception()
        if error is None:
            acknowledged += len(inside[partition])
        elif isinstance(error, REFUSED) and len(inside[partition]) == 1:
            refused, first = refused + 1, first or error
        else:
            waiting += inside[partition]
            first = first or error
        waiting += left[partition]
    return Sent(acknowledged, refused, waiting, first)
