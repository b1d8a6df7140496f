"""The thread that fetches records, and makes one batch of each fetch of a partition."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final
from weakref import ref

from aiokafka.errors import IllegalStateError
from aiokafka.structs import ConsumerRecord
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from faust.types import TP

from rollguard_client.kafka.access import READ_COMMITTED
from streams.driver.batch import Batch, size_of
from streams.group_errors import heed_group_errors
from streams.unpacking.fetches import limit_fetches_of

MAX_HELD_BYTES: Final = 32 * 1024 * 1024
"""How many bytes the batches may have that were fetched and are not handled yet. While they have
more, no source topic is fetched."""
_FULL_S: Final = 0.05


class BatchConsumerThread(AIOKafkaConsumerThread):
    """Faust's consumer thread, which also records how far each source partition was read.

    A fetch waits at the broker for ``fetch_wait_ms``; Faust always waits for 1.5 s, and has no
    setting for that. The app's thread calls the public methods, except ``on_partitions_revoked``.
    The private methods run in this thread's event loop.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._awaited_fetch: object | None = None
        """The fetch that a caller of ``getmany`` waits for; None if nobody waits."""
        self._read_to: dict[TP, int] = {}
        """The offset up to which each source partition was read, from the committed offset on and
        without a gap."""
        self._held: list[ref[Batch]] = []
        """The batches of source topics that were fetched. Faust may throw one away."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        scheduler: Any = self.consumer.scheduler
        consumer._fetch_max_wait_ms = scheduler.fetch_wait_ms
        # Faust has no setting for this either, but for its own transactions, which are not used.
        consumer._isolation_level = READ_COMMITTED
        limit_fetches_of(consumer)
        heed_group_errors(consumer)
        return consumer

    async def getmany(
        self, active_partitions: set[TP] | None, timeout: float
    ) -> Mapping[TP, list[Batch]]:
        """Fetch batches. If nobody waits for a fetch any more, set its position back.

        At a rebalance Faust may stop waiting for a fetch. The fetch then goes on in this thread and
        moves the position, even if the position was set to the committed offset meanwhile. Faust
        also throws away what is fetched while the flow is stopped. Only a later batch would show
        that such a fetch is missing, and there may be no later batch.
        """
        fetch = self._awaited_fetch = object()
        try:
            fetched: Mapping[TP, list[Batch]] = await self.call_thread(
                self._fetch_batches, fetch, active_partitions, timeout
            )
            return fetched
        finally:
            if self._awaited_fetch is fetch:
                self._awaited_fetch = None

    async def _fetch_batches(
        self, fetch: object, active_partitions: Any, timeout: float
    ) -> Mapping[TP, list[Batch]]:
        consumer = self._ensure_consumer()
        if self._is_full():
            active_partitions = self._without_sources(active_partitions or consumer.assignment())
            if not active_partitions:
                await asyncio.sleep(_FULL_S)
                await self._note_poll(consumer)
                return {}
        fetched: Mapping[TP, list[ConsumerRecord]] = await self._fetch_records(
            consumer, active_partitions, timeout=timeout, max_records=consumer._max_poll_records
        )
        if self._awaited_fetch is fetch and self.consumer.flow_active:
            return {tp: [self._batch(tp, records)] for tp, records in fetched.items()}
        for tp, records in fetched.items():
            with suppress(IllegalStateError):  # the partition is not ours any more
                consumer.seek(tp, records[0].offset)
        return {}

    def _batch(self, tp: TP, records: list[ConsumerRecord]) -> Batch:
        """Return the batch of records that were fetched just now.

        Nothing may be awaited since the fetch, because its end is the partition's position.
        """
        assignment: Any = self._ensure_consumer()._subscription.subscription.assignment
        ends: int = assignment.state_value(tp).position
        begins = self._read_to.get(tp)
        if begins is not None:
            self._read_to[tp] = ends
        batch = Batch(records, begins, ends)
        if tp.topic in self._source_topics:
            batch.size = size_of(records)
            self._held.append(ref(batch))
        return batch

    def _is_full(self) -> bool:
        """Return whether the batches that wait to be handled take all the memory they may take."""
        held = [batch for each in self._held if (batch := each()) is not None and batch.size]
        self._held = [ref(batch) for batch in held]
        return sum(batch.size for batch in held) > MAX_HELD_BYTES

    def _without_sources(self, partitions: set[TP]) -> set[TP]:
        return {tp for tp in partitions if tp.topic not in self._source_topics}

    @property
    def _source_topics(self) -> frozenset[str]:
        scheduler: Any = self.consumer.scheduler
        topics: frozenset[str] = scheduler.source_topics
        return topics

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Set the position of each source partition to its committed offset, and return these.

        If nothing was ever committed, the position becomes 0; aiokafka would leave it unchanged.
        """
        committed: Mapping[TP, int] = await self.call_thread(self._seek_to_committed)
        return committed

    async def _seek_to_committed(self) -> Mapping[TP, int]:
        batch_consumer: Any = self.consumer
        consumer, sources = self._ensure_consumer(), self._source_topics
        partitions = [tp for tp in consumer.assignment() if tp.topic in sources]
        offsets = await asyncio.gather(*map(consumer.committed, partitions))
        committed = {tp: offset or 0 for tp, offset in zip(partitions, offsets, strict=True)}
        for tp, offset in committed.items():
            if self._read_from(tp, offset):
                batch_consumer.begin_at(tp, offset)
        return committed

    def read_again(self, tp: TP, offset: int) -> None:
        """Make the next fetch of a partition begin at this offset."""
        self.thread_loop.call_soon_threadsafe(self._read_from, tp, offset)

    def _read_from(self, tp: TP, offset: int) -> bool:
        """Set the position. Return False if the partition is not ours any more."""
        try:
            self._ensure_consumer().seek(tp, offset)
        except IllegalStateError:
            return False
        self._read_to[tp] = offset
        return True

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Forget how far the partitions were read."""
        self._read_to.clear()
        await super().on_partitions_revoked(revoked)

    async def note_poll(self) -> None:
        """Report a poll to aiokafka, although nothing is fetched."""
        await self.call_thread(self._note_poll, self._ensure_consumer())

    async def _note_poll(self, consumer: Any) -> None:
        with consumer._subscription.fetch_context():
            pass
