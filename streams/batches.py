"""Faust, one fetch at a time: a partition's fetched records reach the agent as one batch.

Faust costs about 70 µs for each event that it hands to an agent, whatever the agent does. Its
public ``ConsumerScheduler`` decides in which order fetched records reach the agents; ours hands a
partition's whole fetch over as one record whose value is the list of records. Three things of
Faust have to fit that, and are pinned by ``tests/integration/test_batches.py``:

- Offsets. Faust takes the offsets inside a batch for a hole, and acknowledges a message even when
  its agent fails. Here an offset is committed when the agent says so (``mark_done``), and not else.
- Flushing. ``ProducerBuffer.flush`` may return before everything is sent, and under load never
  returns; offsets would then be committed ahead of the table. Ours waits for exactly what was
  enqueued before.
- Failed sends. Faust logs them and goes on; here they end the process (``on_failed_send``).
"""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import faust
from aiokafka.structs import ConsumerRecord
from faust.sensors.base import Sensor
from faust.transport.drivers import aiokafka as driver
from faust.transport.producer import ProducerBuffer
from faust.transport.utils import DefaultSchedulingStrategy
from faust.types import TP

Records = list[ConsumerRecord]


class _Fetch:
    """A partition's fetch in the shape of one record, at the place of its last."""

    __slots__ = (
        "checksum", "headers", "key", "offset", "partition", "serialized_key_size",
        "serialized_value_size", "timestamp", "timestamp_type", "topic", "value",
    )  # fmt: skip

    def __init__(self, records: Records) -> None:
        last = records[-1]
        self.topic = last.topic
        self.partition = last.partition
        self.offset = last.offset
        self.timestamp = last.timestamp
        self.timestamp_type = last.timestamp_type
        self.headers = ()
        self.key = self.checksum = None
        self.value = records
        self.serialized_key_size = self.serialized_value_size = 0


class BatchScheduler(DefaultSchedulingStrategy):
    """Hands over each fetch of a source topic whole; other topics (changelogs) as Faust does."""

    source_topics: ClassVar[frozenset[str]] = frozenset()
    fetch_wait_ms: ClassVar[int] = 500

    def iterate(self, records: Mapping[TP, Records]) -> Iterator[tuple[TP, Any]]:
        others = {}
        for tp, fetched in records.items():
            if tp.topic not in self.source_topics:
                others[tp] = fetched
            elif fetched:
                yield tp, _Fetch(fetched)
        yield from super().iterate(others)


class BatchConsumerThread(driver.AIOKafkaConsumerThread):
    """Faust holds every fetch for 1.5 s at most, and has no setting for it."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        scheduler: Any = self.consumer.scheduler
        consumer._fetch_max_wait_ms = scheduler.fetch_wait_ms
        return consumer


class BatchConsumer(driver.Consumer):
    """Commits, for source topics, what ``mark_done`` was told.

    Faust's own acknowledgements are off for them (``acks=False`` in ``streams.app``).
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._done: dict[TP, int] = {}

    def _new_consumer_thread(self) -> BatchConsumerThread:
        return BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def mark_done(self, tp: TP, next_offset: int) -> None:
        """All of the partition before ``next_offset`` is dealt with: it may be committed."""
        if tp in self.assignment():
            self._done[tp] = next_offset

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        await super().on_partitions_revoked(revoked)
        for tp in revoked:
            self._done.pop(tp, None)

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        yield from super()._filter_tps_with_pending_acks(topics)
        yield from [tp for tp in self._done if topics is None or tp in topics or tp.topic in topics]

    def _new_offset(self, tp: TP) -> int | None:
        if tp in self._done:
            return self._done.pop(tp)
        offset: int | None = super()._new_offset(tp)
        return offset


class ExactBuffer(ProducerBuffer):
    """A producer buffer whose flush waits for exactly what was enqueued before it."""

    async def flush(self) -> None:
        if self.should_stop:
            while not self.pending.empty():
                await self._send_pending(self.pending.get_nowait())
            return
        passed = asyncio.Event()
        self.pending.put_nowait(passed)
        await passed.wait()

    async def flush_atmost(self, max_messages: int | None) -> int:
        await self.flush()
        return 0

    async def wait_until_ebb(self) -> None:
        if self.size > 10_000:
            await self.flush()

    async def _send_pending(self, fut: Any) -> None:
        if isinstance(fut, asyncio.Event):
            fut.set()
        else:
            await super()._send_pending(fut)


class ExactProducer(driver.Producer):
    """Faust's producer with an exact flush."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.buffer = ExactBuffer(loop=self.loop, beacon=self.beacon)
        self.buffer.app = self.app

    async def flush(self) -> None:
        await self.buffer.flush()
        if self._producer is not None:
            await self._producer.flush()


class FailedSends(Sensor):
    """Tells the role that a send failed for good, so that it ends before an offset is committed."""

    def __init__(self, on_failed_send: Any) -> None:
        super().__init__()
        self._on_failed_send = on_failed_send

    def on_send_error(self, producer: Any, exc: BaseException, state: Any) -> None:
        self._on_failed_send(exc)


class BatchTransport(driver.Transport):
    """aiokafka's transport with the consumer and the producer of this file."""

    Consumer: ClassVar[type[BatchConsumer]] = BatchConsumer
    Producer: ClassVar[type[ExactProducer]] = ExactProducer


def install(app: faust.App) -> None:
    """Make an app that was created with a ``BatchScheduler`` use this transport."""
    app.transport = BatchTransport(app.conf.broker, app)
