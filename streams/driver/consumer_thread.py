"""The thread that fetches: it makes batches, and reads again what was fetched for nobody."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from aiokafka.errors import IllegalStateError
from aiokafka.structs import ConsumerRecord
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from faust.types import TP

from streams.driver.batch import Batch


class BatchConsumerThread(AIOKafkaConsumerThread):
    """Faust's consumer thread, which knows how far each source partition was read.

    A fetch waits at the broker for as long as ``fetch_wait_ms`` says: Faust has no setting for its
    1.5 s. Every private method here that the other thread does not call runs in this thread's loop.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._awaited_fetch: object | None = None
        """The fetch for which somebody waits; None if nobody waits."""
        self._read_to: dict[TP, int] = {}
        """How far each source partition was read, without a hole, from the committed offset on."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        scheduler: Any = self.consumer.scheduler
        consumer._fetch_max_wait_ms = scheduler.fetch_wait_ms
        return consumer

    async def getmany(
        self, active_partitions: set[TP] | None, timeout: float
    ) -> Mapping[TP, list[Batch]]:
        """Fetch batches. The position goes back to the beginning of what is fetched for nobody.

        At a rebalance Faust may stop waiting for a fetch. The fetch then goes on in this thread and
        moves the position, even if the position was set to the committed offset meanwhile. Faust
        also throws away what comes while the flow is stopped. If no later batch came, nobody would
        notice that such a fetch is missing.
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

        To be called before anything else can move the position.
        """
        assignment: Any = self._ensure_consumer()._subscription.subscription.assignment
        ends: int = assignment.state_value(tp).position
        begins = self._read_to.get(tp)
        if begins is not None:
            self._read_to[tp] = ends
        return Batch(records, begins, ends)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Set the position of each source partition to its committed offset, and return these.

        A partition of which nothing was ever committed goes back to its beginning (0); aiokafka
        would leave its position unchanged.
        """
        committed: Mapping[TP, int] = await self.call_thread(self._seek_to_committed)
        return committed

    async def _seek_to_committed(self) -> Mapping[TP, int]:
        batch_consumer: Any = self.consumer
        consumer, sources = self._ensure_consumer(), batch_consumer.scheduler.source_topics
        partitions = [tp for tp in consumer.assignment() if tp.topic in sources]
        offsets = await asyncio.gather(*map(consumer.committed, partitions))
        committed = {tp: offset or 0 for tp, offset in zip(partitions, offsets, strict=True)}
        for tp, offset in committed.items():
            if self._read_from(tp, offset):
                batch_consumer.begin_at(tp, offset)
        return committed

    def read_again(self, tp: TP, offset: int) -> None:
        """Read a partition from this offset on, soon. Another thread may call this."""
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
        """Make aiokafka count a poll, although nothing is fetched."""
        await self.call_thread(self._note_poll, self._ensure_consumer())

    async def _note_poll(self, consumer: Any) -> None:
        with consumer._subscription.fetch_context():
            pass
