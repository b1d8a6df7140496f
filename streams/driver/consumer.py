"""The consumer of a role: which batches it takes, and which offsets it commits."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any, cast

import structlog
from aiokafka import TopicPartition
from faust.transport.drivers.aiokafka import Consumer
from faust.types import TP

from streams.crash_points import crash_point
from streams.driver.batch import Batch, BatchRecord
from streams.driver.consumer_thread import BatchConsumerThread
from streams.partitions import name_of

log = structlog.get_logger()


class _NoReadOffsets(dict[TP, int | None]):
    """A dictionary that stays empty, in place of Faust's note of what was read already.

    By this note Faust drops records without a word, and it may write the note after the position
    was set back. A record that is handed over twice does no harm, so nothing is noted.
    """

    def __missing__(self, tp: TP) -> None:
        return None

    def __setitem__(self, tp: TP, offset: int | None) -> None:
        pass

    def update(self, *args: Any, **kwargs: Any) -> None:
        pass


class BatchConsumer(Consumer):
    """Faust's consumer, which commits for source topics what ``mark_done`` was told.

    Faust's own acknowledgements are off for them (``acks=False`` in
    ``streams.driver.source_topic``).
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._done: dict[TopicPartition, int] = {}
        """The next offset to be committed of each partition."""
        self._next: dict[TopicPartition, int] = {}
        """The highest offset at which the next batch of a partition may begin."""
        self._read_offset = _NoReadOffsets()
        self._epoch = 0
        self._commits_refused = False

    def _new_consumer_thread(self) -> BatchConsumerThread:
        return BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def _wait_next_records(self, timeout: float) -> Any:
        """Tell aiokafka of a poll while all buffers are full or no partition is ours.

        Faust does not fetch then. aiokafka would take that for a consumer that is stuck, and would
        leave the group after ``max_poll_interval_s``.
        """
        if self.flow_active and not self._get_active_partitions():
            thread: Any = self._thread
            await thread.note_poll()
        return await super()._wait_next_records(timeout)

    def committed_here(self, tp: TopicPartition) -> int:
        """Return the offset that this worker itself has committed, or has started from."""
        return self._committed_offset.get(tp) or 0

    def owns(self, batch: Batch) -> bool:
        """Return whether the batch's partition was ours without a break since it was fetched."""
        return batch.epoch == self._epoch and batch.topic_partition in self.assignment()

    def begin_at(self, tp: TopicPartition, offset: int) -> None:
        """Note that reading begins at this offset, which is committed.

        Only the first call of an assignment counts. When the position is set again later, some of
        what is done may not be committed yet.
        """
        self._next.setdefault(tp, offset)

    def take(self, batch: Batch) -> bool:
        """Return whether to handle a batch: it is ours, and nothing before it is missing.

        A batch that came before the position was set to the committed offset is read again later.
        If something before the batch is missing, the partition is read again from there on.
        """
        tp = batch.topic_partition
        if not self.owns(batch) or batch.begins is None or tp not in self._next:
            return False
        expected = self._next[tp]
        if batch.begins > expected:
            log.warning("read_again", partition=name_of(tp), begins=expected, came=batch.begins)
            cast(BatchConsumerThread, self._thread).read_again(tp, expected)
            return False
        batch.mark_done = self.mark_done
        return True

    def mark_done(self, batch: Batch, offset: int | None = None) -> None:
        """Let the offset after the batch be committed, or the offset after ``offset``."""
        last = batch.last.offset if offset is None else offset
        if self.owns(batch):
            tp = batch.topic_partition
            if offset is None:
                self._next[tp] = max(batch.ends, self._next.get(tp, 0))
            known = max(self._done.get(tp, 0), self._committed_offset[tp] or 0)
            if last >= known:
                self._done[tp] = last + 1

    def refuse_commits(self) -> None:
        """Commit nothing any more, because something that had to be sent before is lost."""
        self._commits_refused = True

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Begin a new epoch: no batch that was fetched before is ours any more."""
        self._epoch += 1
        self._done.clear()
        self._next.clear()
        await super().on_partitions_revoked(revoked)

    def _to_message(self, tp: TP, record: Any) -> Any:
        if isinstance(record, BatchRecord):
            record.value.epoch = self._epoch
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
