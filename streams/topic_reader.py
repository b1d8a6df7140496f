"""Reading a topic to its end and on, without a consumer group: nothing is committed, none wait."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
from aiokafka.structs import ConsumerRecord

from schemas.errors import Misconfigured, Rejected, Retryable
from schemas.fields import micros_of
from schemas.message import MAX_REQUEST_BYTES
from schemas.settings import Settings
from streams.access import kafka_options, require_welcome

_POLL_MS: Final = 200
_NEW_TOPIC_S: Final = 2.0


@contextmanager
def kafka_errors(settings: Settings) -> Iterator[None]:
    """Aiokafka's errors as ours: Retryable where the broker may answer later, Misconfigured for a
    topic that is not there, Rejected for a record that is too large.
    """
    brokers = ",".join(settings.kafka_brokers)
    try:
        yield
    except (KafkaConnectionError, KafkaTimeoutError) as error:
        raise Retryable("Kafka", f"{brokers} does not answer") from error
    except MessageSizeTooLargeError as error:
        raise Rejected(f"the record is larger than {MAX_REQUEST_BYTES} bytes") from error
    except UnknownTopicOrPartitionError as error:
        raise Misconfigured(
            f"a topic is missing at {brokers}: run `rollguard topics` "
            f"(prefix {settings.topic_prefix!r})"
        ) from error
    except (TopicAuthorizationFailedError, GroupAuthorizationFailedError) as error:
        raise Misconfigured(
            f"Kafka at {brokers} does not allow {settings.kafka_username!r} this: {error}"
        ) from error
    except KafkaError as error:
        raise Retryable("Kafka", f"{brokers}: {error!r}") from error


@asynccontextmanager
async def connecting(settings: Settings) -> AsyncIterator[None]:
    """As :func:`kafka_errors`, around a start: Misconfigured where a broker is there, but refuses
    us or is not trusted.
    """
    try:
        with kafka_errors(settings):
            yield
    except Retryable:
        await require_welcome(settings)
        raise


class TopicReader:
    """All partitions of one topic. Made by :func:`open_reader`."""

    def __init__(self, consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> None:
        self._consumer = consumer
        self._ends = ends

    @property
    def partitions(self) -> int:
        """How many the topic has."""
        return len(self._ends)

    async def poll(self) -> list[ConsumerRecord]:
        """The next records, in order within a partition; none where nothing came for 0.2 s.

        Goes on by itself when the broker comes back.
        """
        fetched = await self._consumer.getmany(timeout_ms=_POLL_MS)
        return [record for records in fetched.values() for record in records]

    async def caught_up(self) -> bool:
        """Whether everything was polled that the topic held when this was opened.

        The end comes from ListOffsets, and from the answers to fetches too: the embedded broker's
        ListOffsets names the last batch's first offset + 1, which may be too early.
        """
        for partition, end in self._ends.items():
            fetched_end = self._consumer.highwater(partition) or 0
            if await self._consumer.position(partition) < max(end, fetched_end):
                return False
        return True

    async def to_the_end(self, wait_s: float) -> AsyncGenerator[list[ConsumerRecord], None]:
        """What the topic held when this was opened, some records at a time.

        Retryable where the broker says nothing for ``wait_s``.
        """
        clock = asyncio.get_running_loop().time
        heard = clock()
        while not await self.caught_up():
            records = await self.poll()
            if records:
                yield records
                heard = clock()  # behind them: who takes them may take long
            elif clock() - heard > wait_s:
                topic = next(iter(self._ends)).topic
                raise Retryable("Kafka", f"nothing more of {topic} for {wait_s:g} s")

    async def read_at(self, partition: int, offset: int, timeout_s: float) -> ConsumerRecord | None:
        """The record at this place; None where it is gone, or none is there within so long.

        Reading goes on from there, in this partition alone.
        """
        place = next((each for each in self._ends if each.partition == partition), None)
        if place is None:
            return None
        self._consumer.assign([place])
        self._consumer.seek(place, offset)
        deadline = asyncio.get_running_loop().time() + timeout_s
        while asyncio.get_running_loop().time() < deadline:
            for record in await self.poll():
                return record if record.offset == offset else None
        return None


@asynccontextmanager
async def open_reader(
    settings: Settings, topic: str, *, from_beginning: bool, since: datetime | None = None
) -> AsyncIterator[TopicReader]:
    """A reader of the topic (full name) from its beginning, or from its end as it is now.

    With ``since`` its beginning is the first record with this Kafka timestamp or a later one; of a
    partition without any some older records may come.

    What is published after this was entered is read. From the end, some older records may come
    first (see :meth:`TopicReader.caught_up`). Partitions added later are not seen. Raises Retryable
    where the broker does not answer, Misconfigured where the topic is missing.
    """
    consumer = AIOKafkaConsumer(
        **kafka_options(settings),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=MAX_REQUEST_BYTES,
        request_timeout_ms=int(settings.wait_s * 1000) + settings.fetch_wait_ms,
        fetch_max_wait_ms=settings.fetch_wait_ms,
    )
    try:
        async with connecting(settings):
            await consumer.start()
        with kafka_errors(settings):
            partitions = await _partitions_of(consumer, topic)
            await consumer._client.add_topic(topic)  # else the leaders are looked up after a wait
            ends = await consumer.end_offsets(partitions)
            begins = await consumer.beginning_offsets(partitions) if from_beginning else ends
            if since is not None:
                begins = await _since(consumer, begins, ends, since)
            # Nothing is awaited between these: a partition without a place is looked up once more,
            # and aiokafka may then wait 0.2 s before it fetches.
            consumer.assign(partitions)
            for partition, begin in begins.items():
                consumer.seek(partition, begin)
        yield TopicReader(consumer, ends)
    finally:
        await _stop(consumer)


async def _since(
    consumer: AIOKafkaConsumer,
    begins: dict[TopicPartition, int],
    ends: dict[TopicPartition, int],
    since: datetime,
) -> dict[TopicPartition, int]:
    """Where the records of this time and later begin; of a partition without any, its end."""
    since_ms = -(-micros_of(since) // 1000)  # timestamps are whole milliseconds
    found = await consumer.offsets_for_times(dict.fromkeys(begins, since_ms))
    # Where there is none Kafka says None, the embedded broker offset 0 of the time -1.
    return {
        place: at.offset if (at := found[place]) and at.timestamp >= since_ms else ends[place]
        for place in begins
    }


async def _partitions_of(consumer: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    """The topic's partitions. A topic just created is known to a broker only a moment later."""
    deadline = asyncio.get_running_loop().time() + _NEW_TOPIC_S
    while True:
        # of all topics: to ask for one would create it where the broker allows that
        cluster = await consumer._client.fetch_all_metadata()
        numbers = cluster.partitions_for_topic(topic)
        if numbers:
            return [TopicPartition(topic, number) for number in sorted(numbers)]
        if asyncio.get_running_loop().time() > deadline:
            raise UnknownTopicOrPartitionError(topic)
        await asyncio.sleep(_NEW_TOPIC_S / 20)


async def _stop(consumer: AIOKafkaConsumer) -> None:
    """Stop it, and close its connections whatever happens.

    aiokafka lets the cancellation of its own tasks out of ``stop``, where one of them has not begun
    (the sleep is against that) or waits to try a fetch again.
    """
    try:
        await asyncio.sleep(0)
        await consumer.stop()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
    finally:
        await consumer._client.close()
