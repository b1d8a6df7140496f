"""A reader of one topic without a consumer group: to its end, and then of what is added.

It commits nothing, and its start makes no other consumer rebalance.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import UnknownTopicOrPartitionError
from aiokafka.structs import ConsumerRecord

from schemas.errors import Retryable
from schemas.fields import micros_of
from schemas.message import MAX_REQUEST_BYTES
from schemas.settings import Settings
from streams.access import consumer_options
from streams.kafka_errors import connecting, kafka_errors
from streams.unpacking.fetches import limit_fetches_of

_POLL_MS: Final = 200
_POLL_RECORDS: Final = 10_000
_NEW_TOPIC_S: Final = 2.0
_METADATA_MS: Final = 15_000
"""How often the topic's partitions are looked up."""


class TopicReader:
    """A reader of all partitions of one topic, which ``open_reader`` opens."""

    def __init__(
        self, consumer: AIOKafkaConsumer, topic: str, ends: dict[TopicPartition, int]
    ) -> None:
        self._consumer = consumer
        self._topic = topic
        self._ends = ends
        self._opened_at = datetime.now(UTC)

    @property
    def partitions(self) -> int:
        """The number of partitions of the topic."""
        return len(self._ends)

    @property
    def heard_at(self) -> datetime:
        """The time since which some partition has not been heard: an answer may hold no record."""
        heard_ms = [self._consumer.last_poll_timestamp(each) for each in self._ends]
        times = [datetime.fromtimestamp(each / 1000, UTC) for each in heard_ms if each is not None]
        return min(times) if len(times) == len(self._ends) else self._opened_at

    async def poll(self) -> list[ConsumerRecord]:
        """Return the next records, in order within each partition; none if none came for 0.2 s.

        If the broker goes away and comes back, reading continues.
        """
        await self._take_new_partitions()
        fetched = await self._consumer.getmany(timeout_ms=_POLL_MS)
        return [record for records in fetched.values() for record in records]

    async def _take_new_partitions(self) -> None:
        """Read partitions that were added to the topic, too, from their beginning."""
        numbers = self._consumer.partitions_for_topic(self._topic) or set()
        if len(numbers) <= len(self._ends):
            return
        new = {TopicPartition(self._topic, number) for number in numbers} - self._ends.keys()
        positions = {tp: await self._consumer.position(tp) for tp in self._consumer.assignment()}
        positions |= dict.fromkeys(new, 0)
        self._ends |= dict.fromkeys(new, 0)
        # assign forgets the positions; nothing may be awaited before they are set again
        self._consumer.assign(list(positions))
        for tp, position in positions.items():
            self._consumer.seek(tp, position)

    async def caught_up(self) -> bool:
        """Return whether everything was polled that the topic held when the reader was opened.

        The end comes from ListOffsets and from the answers to fetches, because the ListOffsets of
        the embedded broker gives the first offset of the last batch + 1, which may be too low.
        """
        for partition, end in self._ends.items():
            fetched_end = self._consumer.highwater(partition) or 0
            if await self._consumer.position(partition) < max(end, fetched_end):
                return False
        return True

    async def to_the_end(self, wait_s: float) -> AsyncGenerator[list[ConsumerRecord], None]:
        """Yield the records that the topic held when the reader was opened, some at a time.

        Raises Retryable if no record comes for ``wait_s`` before the end.
        """
        clock = asyncio.get_running_loop().time
        last_came = clock()
        while not await self.caught_up():
            records = await self.poll()
            if records:
                yield records
                # after the yield, because the caller may need long for these records
                last_came = clock()
            elif clock() - last_came > wait_s:
                topic = next(iter(self._ends)).topic
                raise Retryable("Kafka", f"no record of {topic} came for {wait_s:g} s")

    async def read_at(self, partition: int, offset: int, timeout_s: float) -> ConsumerRecord | None:
        """Return the record at this offset; None if it was removed or did not come in time.

        From then on only this partition is read, from this offset on.
        """
        tp = next((each for each in self._ends if each.partition == partition), None)
        if tp is None:
            return None
        self._consumer.assign([tp])
        self._consumer.seek(tp, offset)
        deadline = asyncio.get_running_loop().time() + timeout_s
        while asyncio.get_running_loop().time() < deadline:
            for record in await self.poll():
                return record if record.offset == offset else None
        return None


@asynccontextmanager
async def open_reader(
    settings: Settings, topic: str, *, from_beginning: bool, since: datetime | None = None
) -> AsyncIterator[TopicReader]:
    """Open a reader of the topic (full name) at its beginning, or at its end as it is now.

    With ``since``, reading begins at the first record with this Kafka timestamp or a later one; a
    partition that has no such record may yield some older records.

    Everything that is published after the block was entered is read. A reader that begins at the
    end may yield some older records first (see ``TopicReader.caught_up``). Partitions that are
    added later are read from their beginning. Raises Retryable if the broker does not answer,
    Misconfigured if the topic is missing.
    """
    consumer = AIOKafkaConsumer(
        **consumer_options(settings),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=MAX_REQUEST_BYTES,
        max_poll_records=_POLL_RECORDS,
        request_timeout_ms=int(settings.wait_s * 1000) + settings.fetch_wait_ms,
        fetch_max_wait_ms=settings.fetch_wait_ms,
        metadata_max_age_ms=_METADATA_MS,
    )
    limit_fetches_of(consumer)
    try:
        async with connecting(settings):
            await consumer.start()
        with kafka_errors(settings):
            partitions = await _partitions_of(consumer, topic)
            # Without this, aiokafka would look up the leaders only after a wait.
            await consumer._client.add_topic(topic)
            ends = await consumer.end_offsets(partitions)
            begins = await consumer.beginning_offsets(partitions) if from_beginning else ends
            if since is not None:
                begins = await _offsets_since(consumer, begins, ends, since)
            # Nothing may be awaited between assign and seek: aiokafka would ask the broker for the
            # missing position, and may then wait 0.2 s before it fetches.
            consumer.assign(partitions)
            for partition, begin in begins.items():
                consumer.seek(partition, begin)
        yield TopicReader(consumer, topic, ends)
    finally:
        await _stop(consumer)


async def _offsets_since(
    consumer: AIOKafkaConsumer,
    begins: dict[TopicPartition, int],
    ends: dict[TopicPartition, int],
    since: datetime,
) -> dict[TopicPartition, int]:
    """Return, for each partition, the offset of the first record at this time or later.

    It is the end of the partition if there is no such record.
    """
    since_ms = -(-micros_of(since) // 1000)  # timestamps are whole milliseconds
    found = await consumer.offsets_for_times(dict.fromkeys(begins, since_ms))
    # If there is none, Kafka answers None, and the embedded broker answers offset 0 with time -1.
    return {
        tp: at.offset if (at := found[tp]) and at.timestamp >= since_ms else ends[tp]
        for tp in begins
    }


async def _partitions_of(consumer: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    """Return the topic's partitions.

    The question is repeated for 2 s, because a broker may not know a topic yet that was just
    created.
    """
    deadline = asyncio.get_running_loop().time() + _NEW_TOPIC_S
    while True:
        # Ask for all topics: asking for a single one would create it, if the broker allows that.
        cluster = await consumer._client.fetch_all_metadata()
        numbers = cluster.partitions_for_topic(topic)
        if numbers:
            return [TopicPartition(topic, number) for number in sorted(numbers)]
        if asyncio.get_running_loop().time() > deadline:
            raise UnknownTopicOrPartitionError(topic)
        await asyncio.sleep(_NEW_TOPIC_S / 20)


async def _stop(consumer: AIOKafkaConsumer) -> None:
    """Stop a consumer, and close its connections whatever happens.

    aiokafka's ``stop`` may raise CancelledError because one of its own tasks was cancelled: a task
    that has not begun yet (the sleep prevents that), or one that waits before it fetches again.
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
