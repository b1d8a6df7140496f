"""The consumer of a role: which batches it takes, and which offsets it commits."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, cast

import structlog
from aiokafka import TopicPartition
from faust.transport.drivers.aiokafka import Consumer
from faust.types import TP

from streams.crash_points import crash_point
from streams.driver.batch import Batch, BatchRecord
from streams.driver.consumer_thread import BatchConsumerThread
from streams.driver.progress import Progress
from streams.partitions import name_of

log = structlog.get_logger()


class _NoReadOffsets(dict[TP, int | None]):
    """A dictionary that stays empty, in the place of the offsets that Faust has read already.

    Faust silently drops records whose offsets are not higher, and it may write an offset after the
    position was set back. A record that is handed over twice does no harm, so none is dropped.
    """

    def __missing__(self, tp: TP) -> None:
        return None

    def __setitem__(self, tp: TP, offset: int | None) -> None:
        pass

    def update(self, *args: Any, **kwargs: Any) -> None:
        pass


class BatchConsumer(Consumer):
    """Faust's consumer, which for source topics commits the offsets given to ``mark_done``.

    Faust's own acknowledgements are off for these topics (``acks=False`` in
    ``streams.driver.source_topic``).
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._progress: defaultdict[TopicPartition, Progress] = defaultdict(Progress)
        self._done: dict[TopicPartition, int] = {}
        """The next offset to be committed of each partition."""
        self._next: dict[TopicPartition, int] = {}
        """The highest offset at which the next batch of each partition may begin."""
        self._read_offset = _NoReadOffsets()
        self._epoch = 0
        self._unread_since: dict[TopicPartition, int] = {}
        self._commits_refused = False

    def _new_consumer_thread(self) -> BatchConsumerThread:
        return BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def _wait_next_records(self, timeout: float) -> Any:
        """Report a poll to aiokafka while all buffers are full or no partition is assigned.

        Faust does not fetch then. After ``max_poll_interval_s`` without a poll, aiokafka would
        conclude that the consumer is stuck, and leave the group.
        """
        if self.flow_active and not self._get_active_partitions():
            thread: Any = self._thread
            await thread.note_poll()
        return await super()._wait_next_records(timeout)

    def committed_here(self, tp: TopicPartition) -> int:
        """Return the offset that this worker itself has committed, or has started from."""
        return self._committed_offset.get(tp) or 0

    def unread_since_ms(self, tp: TopicPartition) -> int | None:
        """Return the Kafka timestamp after which a record of the partition is not handled yet.

        It is that of the first record of the batch that is being handled, otherwise that of the
        last record that was handled. None if none was fetched since the partition is ours.
        """
        return self._unread_since.get(tp)

    @property
    def assignments(self) -> int:
        """How often partitions were taken away so far: once in each rebalance."""
        return self._epoch

    def owns(self, batch: Batch) -> bool:
        """Return whether the partition was ours without a break since the batch was fetched."""
        return batch.epoch == self._epoch and batch.topic_partition in self.assignment()

    def begin_at(self, tp: TopicPartition, offset: int) -> None:
        """Note that reading begins at this offset, which is committed.

        Only the first call after an assignment counts. At a later call, some batches may be done
        and not committed yet, so the committed offset is too low.
        """
        self._next.setdefault(tp, offset)

    def take(self, batch: Batch) -> bool:
        """Return whether to handle a batch: its partition is ours, and no record before it missing.

        A batch that was fetched before the position was set to the committed offset is read again
        later. If records before the batch are missing, the partition is read again from the first
        missing one on.
        """
        tp = batch.topic_partition
        if not self.owns(batch) or batch.begins is None or tp not in self._next:
            return False
        expected = self._next[tp]
        if batch.begins > expected:
            log.warning("read_again", partition=name_of(tp), begins=expected, came=batch.begins)
            cast(BatchConsumerThread, self._thread).read_again(tp, expected)
            return False
        self._unread_since[tp] = batch.first.timestamp
        batch.mark_done = self.mark_done
        batch.set_aside = self.set_aside
        batch.resume = self.resume
        batch.is_ours = self.owns
        return True

    def mark_done(self, batch: Batch, offset: int | None = None) -> None:
        """Have the offset after the batch committed; or the offset after ``offset``, if given.

        While a record is set aside, at most its own offset is committed.
        """
        last = batch.last.offset if offset is None else offset
        if self.owns(batch):
            tp = batch.topic_partition
            if offset is None:
                self._next[tp] = max(batch.ends, self._next.get(tp, 0))
                self._unread_since[tp] = batch.last.timestamp
            self._progress[tp].handled_to(last + 1)
            self._offer(tp)

    def set_aside(self, batch: Batch, offset: int) -> None:
        """Set a record aside, before it is given to ``mark_done``: others are handled before it."""
        if self.owns(batch):
            self._progress[batch.topic_partition].set_aside(offset)

    def resume(self, batch: Batch, offset: int) -> None:
        """Note that a record that was set aside is done."""
        if self.owns(batch):
            self._progress[batch.topic_partition].resume(offset)
            self._offer(batch.topic_partition)

    def _offer(self, tp: TopicPartition) -> None:
        """Have the partition's offset committed, if it is higher than before."""
        offset = self._progress[tp].committable
        if offset > max(self._done.get(tp, 0), self._committed_offset[tp] or 0):
            self._done[tp] = offset

    def refuse_commits(self) -> None:
        """Stop committing, because a row that had to be sent before the commit was lost."""
        self._commits_refused = True

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Begin a new epoch, so that batches that were fetched before are not handled."""
        self._epoch += 1
        self._progress.clear()
        self._done.clear()
        self._next.clear()
        self._unread_since.clear()
        await super().on_partitions_revoked(revoked)

    def _to_message(self, tp: TP, record: Any) -> Any:
        if isinstance(record, BatchRecord):
            record.value.epoch = self._epoch
            self._unread_since.setdefault(TopicPartition(*tp), record.value.first.timestamp)
        return super()._to_message(tp, record)

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        yield from super()._filter_tps_with_pending_acks(topics)
        yield from [
            TP(*tp) for tp in self._done if topics is None or tp in topics or tp.topic in topics
        ]

    def _new_offset(self, tp: TP) -> int | None:
        if tp in self._done:
            return self._done[tp]
        offset: int | None = super()._new_offset(tp)
        return offset

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        await asyncio.sleep(0)  # so that the callbacks of failed sends run first
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
