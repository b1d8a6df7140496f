"""Faust, one fetch at a time: a partition's fetched records reach the agent as one batch.

Faust costs about 70 µs for each event that it hands to an agent or a table, whatever they do. Its
public ``ConsumerScheduler`` decides in which order fetched records reach the agents; ours hands a
partition's whole fetch over as one record whose value is the list of records. Four things of
Faust have to fit that, and are pinned by ``tests/integration/streams/test_batches.py``:

- Offsets. Faust takes the offsets inside a batch for a hole, and acknowledges a message even when
  its agent fails. Here an offset is committed when the agent says so (``mark_done``), and not else.
- Flushing. Faust's flush waits for a buffer of its own in front of the producer: it may return
  before everything is sent, and under load never returns; offsets would then be committed ahead of
  the table. Ours waits for exactly what the producer was given before.
- Queues. Faust empties them after a rebalance at a moment when they hold what is never fetched
  again (``SourceTopic``).
- Fetches. What is fetched around a rebalance may be thrown away, and the position moved past it, or
  be handed over before the seek to what is committed. So each batch says from where to where it was
  read, and one that leaves something out, or came too early, is read again (``take``).
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import faust
import structlog
from aiokafka.errors import IllegalStateError
from aiokafka.structs import ConsumerRecord
from faust.transport.drivers import aiokafka as driver
from faust.transport.utils import DefaultSchedulingStrategy
from faust.types import TP

from streams.crash_points import crash_point
from streams.suspend_watchdog import SuspendWatchdog

log = structlog.get_logger()


@dataclass
class Batch:
    """What was fetched of one partition at once, in order; never empty.

    ``epoch`` is of which assignment it is: what was fetched under an earlier one is read again by
    the partition's owner, who may be this same worker, and must not be written by anyone else.
    """

    records: list[ConsumerRecord]
    begins: int | None = None
    """The offset from which it was read, which may be before its first record's (transactions'
    markers, what retention removed); None if nothing says that all before it was read."""
    ends: int = 0
    """The offset from which is read on."""
    epoch: int = -1
    mark_done: Callable[["Batch", int], None] = lambda _batch, _offset: None
    """Of the consumer. It must not hold the batch: in a cycle the records would wait for the
    garbage collector, which stops everything for a quarter of a second when it finds many."""

    def done_to(self, offset: int) -> None:
        """Say that the records up to this offset are dealt with, before all are."""
        self.mark_done(self, offset)

    @property
    def first(self) -> ConsumerRecord:
        return self.records[0]

    @property
    def last(self) -> ConsumerRecord:
        return self.records[-1]

    @property
    def place(self) -> TP:
        """The topic and partition."""
        return TP(self.last.topic, self.last.partition)


class _Fetch:
    """A batch in the shape of one record, at the place of its last."""

    __slots__ = (
        "checksum", "headers", "key", "offset", "partition", "serialized_key_size",
        "serialized_value_size", "timestamp", "timestamp_type", "topic", "value",
    )  # fmt: skip

    def __init__(self, batch: Batch) -> None:
        last = batch.last
        self.topic = last.topic
        self.partition = last.partition
        self.offset = last.offset
        self.timestamp = last.timestamp
        self.timestamp_type = last.timestamp_type
        self.headers = ()
        self.key = self.checksum = None
        self.value = batch
        self.serialized_key_size = self.serialized_value_size = 0


class BatchScheduler(DefaultSchedulingStrategy):
    """Hands over each fetch of a partition whole: of source topics to the agent, of changelogs to
    the table that recovers.
    """

    source_topics: ClassVar[frozenset[str]] = frozenset()
    fetch_wait_ms: ClassVar[int] = 500

    def iterate(self, records: Mapping[TP, list[Batch]]) -> Iterator[tuple[TP, Any]]:
        for tp, batches in records.items():
            for batch in batches:
                yield tp, _Fetch(batch)


class BatchConsumerThread(driver.AIOKafkaConsumerThread):
    """Knows what was read of each partition, and holds a fetch for as long as it is told: Faust has
    no setting for its 1.5 s.

    Whatever is private here is called in this thread's own loop.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._wanted: object | None = None
        """Of the fetch that somebody waits for."""
        self._read_to: dict[TP, int] = {}
        """How far the source partitions were read, without a hole, from what is committed on."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        scheduler: Any = self.consumer.scheduler
        consumer._fetch_max_wait_ms = scheduler.fetch_wait_ms
        return consumer

    async def getmany(
        self, active_partitions: set[TP] | None, timeout: float
    ) -> Mapping[TP, list[Batch]]:
        """What is fetched for nobody goes back.

        Faust may stop to wait for a fetch (a rebalance), which then goes on in this thread and
        moves the position, also behind the seek to what is committed; or it throws away what comes
        while the flow is stopped. If nothing came behind it, it would never be missed.
        """
        wanted = self._wanted = object()
        try:
            fetched: Mapping[TP, list[Batch]] = await self.call_thread(
                self._fetch_wanted, wanted, active_partitions, timeout
            )
            return fetched
        finally:
            if self._wanted is wanted:
                self._wanted = None

    async def _fetch_wanted(
        self, wanted: object, active_partitions: Any, timeout: float
    ) -> Mapping[TP, list[Batch]]:
        consumer = self._ensure_consumer()
        fetched: Mapping[TP, list[ConsumerRecord]] = await self._fetch_records(
            consumer, active_partitions, timeout=timeout, max_records=consumer._max_poll_records
        )
        if self._wanted is wanted and self.consumer.flow_active:
            return {at: [self._batch(at, records)] for at, records in fetched.items()}
        for place, records in fetched.items():
            with suppress(IllegalStateError):  # not ours any more
                consumer.seek(place, records[0].offset)
        return {}

    def _batch(self, place: TP, records: list[ConsumerRecord]) -> Batch:
        """What was fetched this moment, before anything else can move the position."""
        assignment: Any = self._ensure_consumer()._subscription.subscription.assignment
        ends: int = assignment.state_value(place).position
        begins = self._read_to.get(place)
        if begins is not None:
            self._read_to[place] = ends
        return Batch(records, begins, ends)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Also a partition of which nothing was ever committed goes back to where it begins, which
        aiokafka leaves where it stands. Gives what is committed; 0 for nothing.
        """
        committed: Mapping[TP, int] = await self.call_thread(self._seek_to_committed)
        return committed

    async def _seek_to_committed(self) -> Mapping[TP, int]:
        consumer, scheduler = self._ensure_consumer(), cast(Any, self.consumer).scheduler
        places = [at for at in consumer.assignment() if at.topic in scheduler.source_topics]
        offsets = await asyncio.gather(*map(consumer.committed, places))
        committed = {place: offset or 0 for place, offset in zip(places, offsets, strict=True)}
        for place, offset in committed.items():
            if self._read_from(place, offset):
                cast(BatchConsumer, self.consumer).begin_at(place, offset)
        return committed

    def read_again(self, place: TP, offset: int) -> None:
        """Read a partition from this offset on, soon. Of another thread."""
        self.thread_loop.call_soon_threadsafe(self._read_from, place, offset)

    def _read_from(self, place: TP, offset: int) -> bool:
        """Set the position; whether the partition is still ours."""
        try:
            self._ensure_consumer().seek(place, offset)
        except IllegalStateError:
            return False
        self._read_to[place] = offset
        return True

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        self._read_to.clear()
        await super().on_partitions_revoked(revoked)

    async def note_poll(self) -> None:
        """Count as a poll that nothing is to be fetched now."""
        await self.call_thread(self._note_poll, self._ensure_consumer())

    async def _note_poll(self, consumer: Any) -> None:
        with consumer._subscription.fetch_context():
            pass


class _Unread(dict[TP, int | None]):
    """Faust drops in silence what it takes for read already, by offsets that it may note behind a
    seek. What comes twice is harmless, so it notes nothing.
    """

    def __missing__(self, place: TP) -> None:
        return None

    def __setitem__(self, place: TP, offset: int | None) -> None:
        pass

    def update(self, *args: Any, **kwargs: Any) -> None:
        pass


class BatchConsumer(driver.Consumer):
    """Commits, for source topics, what ``mark_done`` was told.

    Faust's own acknowledgements are off for them (``acks=False`` in ``streams.driver.app``).
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._done: dict[TP, int] = {}
        self._next: dict[TP, int] = {}
        """Where the next batch of a partition has to begin, at the latest."""
        self._read_offset = _Unread()
        self._epoch = 0
        self._commits_refused = False

    def _new_consumer_thread(self) -> BatchConsumerThread:
        return BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def _wait_next_records(self, timeout: float) -> Any:
        """Go on polling, in name, while all buffers are full or no partition is ours.

        Faust does not fetch then, and aiokafka takes that for a consumer that is stuck: after
        ``max_poll_interval_s`` it leaves the group.
        """
        if self.flow_active and not self._get_active_partitions():
            thread: Any = self._thread
            await thread.note_poll()
        return await super()._wait_next_records(timeout)

    def committed_here(self, place: TP) -> int:
        """What this worker itself has committed of a partition, or started from."""
        return self._committed_offset.get(place) or 0

    def owns(self, batch: Batch) -> bool:
        """Whether the batch's partition has been ours without a break since it was fetched."""
        return batch.epoch == self._epoch and batch.place in self.assignment()

    def begin_at(self, place: TP, offset: int) -> None:
        """The position was set to this offset, which is committed. It counts once for an
        assignment: what is done after it need not be committed yet when it is set again.
        """
        self._next.setdefault(place, offset)

    def take(self, batch: Batch) -> bool:
        """Whether to deal with a batch: it is ours, and leaves nothing out.

        One that came before the seek to what is committed is read again after it. Where something
        before a batch is missing, it is read again from there on.
        """
        if not self.owns(batch) or batch.begins is None or batch.place not in self._next:
            return False
        expected = self._next[batch.place]
        if batch.begins > expected:
            log.warning(
                "read_again", partition=str(batch.place), begins=expected, came=batch.begins
            )
            cast(BatchConsumerThread, self._thread).read_again(batch.place, expected)
            return False
        return True

    def mark_done(self, batch: Batch, offset: int | None = None) -> None:
        """The batch is dealt with, all or up to this offset: what is behind may be committed."""
        last = batch.last.offset if offset is None else offset
        if self.owns(batch):
            if offset is None:
                self._next[batch.place] = max(batch.ends, self._next.get(batch.place, 0))
            known = max(self._done.get(batch.place, 0), self._committed_offset[batch.place] or 0)
            if last >= known:
                self._done[batch.place] = last + 1

    def refuse_commits(self) -> None:
        """Commit nothing any more: something that was to be sent before is lost."""
        self._commits_refused = True

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        self._epoch += 1
        self._done.clear()
        self._next.clear()
        await super().on_partitions_revoked(revoked)

    def _to_message(self, tp: TP, record: Any) -> Any:
        if isinstance(record, _Fetch):
            record.value.epoch = self._epoch
        return super()._to_message(tp, record)

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        yield from super()._filter_tps_with_pending_acks(topics)
        yield from [tp for tp in self._done if topics is None or tp in topics or tp.topic in topics]

    def _new_offset(self, tp: TP) -> int | None:
        if tp in self._done:
            return self._done[tp]
        offset: int | None = super()._new_offset(tp)
        return offset

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        await asyncio.sleep(0)  # the callbacks of failed sends run before this goes on
        if self._commits_refused:
            return False
        crash_point("offsets.flushed")
        committed = bool(await super()._commit(offsets))
        if committed:
            crash_point("offsets.committed")
            for tp, offset in offsets.items():
                if self._done.get(tp) == offset:
                    del self._done[tp]
        return committed


class Producer(driver.Producer):
    """Faust's producer with an exact flush, and with the app's stall guard, if it has one.

    Nothing of ours goes through the buffer in front of it.
    """

    suspend_watchdog: ClassVar[SuspendWatchdog | None] = None

    def _new_producer(self, transactional_id: str | None = None) -> Any:
        producer = super()._new_producer(transactional_id)
        if self.suspend_watchdog is not None:
            self.suspend_watchdog.before_requests_of(producer.client)
        return producer

    async def flush(self) -> None:
        if self._producer is not None:
            await self._producer.flush()


class SourceTopic(faust.Topic):
    """A topic whose queue is not emptied when the flow is resumed after a rebalance.

    Faust seeks to the committed offsets first and empties the queues then: what was fetched in
    between was handed over, is gone, and is never fetched again. What must not be handled (of an
    earlier assignment) is known by its epoch; what is handed over twice is harmless.
    """

    @property
    def queue(self) -> Any:
        if self._queue is None:
            self._queue = self.app.FlowControlQueue(
                maxsize=self.app.conf.stream_buffer_maxsize, clear_on_resume=False
            )
        return self._queue


class BatchTransport(driver.Transport):
    """aiokafka's transport with the consumer and the producer of this file."""

    Consumer: ClassVar[type[BatchConsumer]] = BatchConsumer
    Producer: ClassVar[type[Producer]] = Producer


def install(app: faust.App, watchdog: SuspendWatchdog | None = None) -> None:
    """Make an app that was created with a ``BatchScheduler`` use this transport."""

    class GuardedProducer(Producer):
        suspend_watchdog = watchdog

    class GuardedTransport(BatchTransport):
        Producer = GuardedProducer

    app.transport = GuardedTransport(app.conf.broker, app)
