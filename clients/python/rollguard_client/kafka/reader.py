"""A reader of topics without a consumer group, from their end or from their beginning.

It commits nothing, and its start makes no other consumer rebalance.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import UnknownTopicOrPartitionError

from rollguard_client.kafka.access import KafkaSettings, consumer_options
from rollguard_client.kafka.errors import connecting, kafka_errors
from rollguard_client.messages.message import MAX_REQUEST_BYTES

_POLL_MS: Final = 200
_POLL_RECORDS: Final = 10_000
_NEW_TOPIC_S: Final = 2.0
_END_OF_START_S: Final = 0.5
_END_S: Final = 5.0
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MILLISECOND: Final = timedelta(milliseconds=1)
_METADATA_MS: Final = 15_000
"""How often the topics' partitions are looked up."""


class TopicReader:
    """A reader of all partitions of some topics, which ``open_reader`` opens."""

    def __init__(self, consumer: Any, topics: Sequence[str], ends: dict[Any, int]) -> None:
        self._consumer = consumer
        self._topics = topics
        self._ends = ends
        self._opened_at = datetime.now(timezone.utc)

    @property
    def heard_at(self) -> datetime:
        """The time since which some partition has not been heard: an answer may hold no record."""
        heard_ms = [self._consumer.last_poll_timestamp(each) for each in self._ends]
        times = [
            datetime.fromtimestamp(each / 1000, timezone.utc)
            for each in heard_ms
            if each is not None
        ]
        return min(times) if len(times) == len(self._ends) else self._opened_at

    async def poll(self) -> list[Any]:
        """Return the next records, in order within each partition; none if none came for 0.2 s.

        If the broker goes away and comes back, reading continues.
        """
        await self._take_new_partitions()
        fetched = await self._consumer.getmany(timeout_ms=_POLL_MS)
        return [record for records in fetched.values() for record in records]

    async def _take_new_partitions(self) -> None:
        """Read partitions that were added to a topic, too, from their beginning."""
        all_now = {
            TopicPartition(topic, number)
            for topic in self._topics
            for number in self._consumer.partitions_for_topic(topic) or ()
        }
        new = all_now - self._ends.keys()
        if not new:
            return
        positions = {tp: await self._consumer.position(tp) for tp in self._consumer.assignment()}
        positions |= dict.fromkeys(new, 0)
        self._ends |= dict.fromkeys(new, 0)
        _assign(self._consumer, positions)

    async def caught_up(self) -> bool:
        """Return whether everything was polled that the topics held when the reader was opened."""
        for partition, end in self._ends.items():
            # The ListOffsets of some brokers is too low; the answers to fetches know better.
            fetched_end = self._consumer.highwater(partition) or 0
            if await self._consumer.position(partition) < max(end, fetched_end):
                return False
        return True


class Opened(NamedTuple):
    """A consumer that reads some topics, where they ended when it was opened, and where it began.

    Both are offsets by partition.
    """

    consumer: Any
    ends: dict[Any, int]
    begins: dict[Any, int]


@asynccontextmanager
async def open_reader(
    settings: KafkaSettings, *topics: str, from_beginning: bool = False
) -> AsyncIterator[TopicReader]:
    """Open a reader of topics (full names) at their end as it is now, or at their beginning.

    Everything that is published after the block was entered is read; some older records may come
    first. Raises Retryable if the broker does not answer, Misconfigured if a topic is missing.
    """
    async with open_consumer(settings, topics, from_beginning=from_beginning) as opened:
        yield TopicReader(opened.consumer, topics, opened.ends)


@asynccontextmanager
async def open_consumer(
    settings: KafkaSettings,
    topics: Sequence[str],
    *,
    from_beginning: bool,
    since: datetime | None = None,
    offsets: Mapping[Any, int] | None = None,
    prepared: Callable[[Any], None] | None = None,
) -> AsyncIterator[Opened]:
    """Open a consumer of topics, as ``open_reader`` does.

    With ``since``, reading begins at the first record with this Kafka timestamp or a later one; a
    partition that has no such record may yield some older records. With ``offsets``, it begins
    there, or as near as a partition has records; one that is not named is read from its beginning.
    ``prepared`` is called with the consumer before it is started.
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
    if prepared is not None:
        prepared(consumer)
    try:
        async with connecting(settings):
            await _start(consumer)
        with kafka_errors(settings):
            partitions = await _partitions_of(consumer, topics)
            ends = await consumer.end_offsets(partitions)
            begins = ends
            if from_beginning or offsets is not None:
                begins = await consumer.beginning_offsets(partitions)
            if offsets is not None:
                begins = {
                    tp: min(max(offsets.get(tp, 0), begin), ends[tp])
                    for tp, begin in begins.items()
                }
            elif since is not None:
                begins = await offsets_since(consumer, ends, since)
            _assign(consumer, begins)
        yield Opened(consumer, ends, begins)
    finally:
        await _stop(consumer)


async def offsets_since(consumer: Any, ends: dict[Any, int], since: datetime) -> dict[Any, int]:
    """Return, for each partition, the offset of the first record at this time or later.

    It is the end of the partition if there is no such record.
    """
    since_ms = -((_EPOCH - since) // _MILLISECOND)  # rounded up: timestamps are whole milliseconds
    found = await consumer.offsets_for_times(dict.fromkeys(ends, since_ms))
    # If there is none, Kafka answers None, and the embedded broker answers offset 0 with time -1.
    return {
        tp: at.offset if (at := found[tp]) and at.timestamp >= since_ms else ends[tp] for tp in ends
    }


def _assign(consumer: Any, positions: dict[Any, int]) -> None:
    """Read from these positions. Nothing is awaited: aiokafka would ask for them otherwise."""
    consumer.assign(list(positions))
    for partition, position in positions.items():
        consumer.seek(partition, position)


async def _start(consumer: Any) -> None:
    """Start a consumer. A cancellation waits a little: aiokafka would leave connections open."""
    starting = asyncio.ensure_future(consumer.start())
    try:
        await asyncio.shield(starting)
    except asyncio.CancelledError:
        await asyncio.wait({starting}, timeout=_END_OF_START_S)
        starting.cancel()
        raise


async def _partitions_of(consumer: Any, topics: Sequence[str]) -> list[Any]:
    """Return the topics' partitions; a topic that was just created may be known a little later."""
    deadline = asyncio.get_running_loop().time() + _NEW_TOPIC_S
    while True:
        # Ask for all topics: asking for a single one would create it, if the broker allows that.
        cluster = await consumer._client.fetch_all_metadata()
        missing = [topic for topic in topics if not cluster.partitions_for_topic(topic)]
        if not missing:
            break
        if asyncio.get_running_loop().time() > deadline:
            raise UnknownTopicOrPartitionError(missing[0])
        await asyncio.sleep(_NEW_TOPIC_S / 20)
    for topic in topics:  # without this, aiokafka would look up the leaders only after a wait
        await consumer._client.add_topic(topic)
    return [
        TopicPartition(topic, number)
        for topic in topics
        for number in sorted(cluster.partitions_for_topic(topic))
    ]


async def _stop(consumer: Any) -> None:
    """Stop a consumer, and close its connections whatever happens.

    A cancellation waits until that is done: whoever wants a task to end may cancel it repeatedly.
    """
    ending = asyncio.ensure_future(_end(consumer))
    clock = asyncio.get_running_loop().time
    deadline, is_cancelled = clock() + _END_S, False
    while not ending.done() and clock() < deadline:
        is_cancelled |= await _is_cancelled_before(ending, deadline - clock())
    if is_cancelled:
        raise asyncio.CancelledError
    if ending.done():
        ending.result()


async def _is_cancelled_before(ending: "asyncio.Future[None]", timeout_s: float) -> bool:
    """Wait, but not long; return whether this task was cancelled meanwhile."""
    try:
        await asyncio.wait({ending}, timeout=timeout_s)
    except asyncio.CancelledError:
        return True
    return False


async def _end(consumer: Any) -> None:
    """Stop a consumer in a task of its own.

    aiokafka's ``stop`` may raise CancelledError because one of its own tasks was cancelled: one
    that has not begun yet (the sleep prevents that), or one that waits before it fetches again.
    """
    try:
        await asyncio.sleep(0)
        stopping = asyncio.ensure_future(consumer.stop())
        await asyncio.wait({stopping})
        if not stopping.cancelled():
            stopping.exception()
    finally:
        await consumer._client.close()
