"""The handing over and the committing of batches, on a real broker."""

import asyncio
import gc

import pytest
from aiokafka import AIOKafkaProducer

from agents.worker.fatal import Fatal
from schemas.settings import Settings
from streams.driver import consumer_thread
from streams.driver.batch import Batch
from streams.topics import Topics
from tests.support.inputs.bombs import MIB, bomb, send_batch
from tests.support.systems.batch_reader import (
    Counting,
    Forgetting,
    assert_in_order,
    committed,
    publish,
    running,
)
from tests.support.waiting import until


async def test_a_fetch_reaches_the_agent_whole_and_in_order(settings: Settings) -> None:
    handler = Counting()
    await publish(settings, 100)
    async with running(settings, handler, Fatal()):

        async def all_seen() -> bool:
            return handler.seen == 100

        await until(all_seen)
    assert max(len(batch) for batch in handler.batches) > 1
    assert all(len({record.partition for record in batch}) == 1 for batch in handler.batches)
    assert_in_order(handler)


async def test_a_handled_batch_is_freed_without_the_garbage_collector(settings: Settings) -> None:
    handler = Forgetting()
    await publish(settings, 100)
    gc.disable()
    try:
        async with running(settings, handler, Fatal()):

            async def all_freed_but_the_last() -> bool:
                kept = [each for each in handler.handed_over if each() is not None]
                return len(handler.handed_over) >= settings.partitions and len(kept) <= 1

            await until(all_freed_but_the_last)
    finally:
        gc.enable()


class Slow(Counting):
    """A handler that takes its time, and keeps nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.records = 0

    async def handle(self, batch: Batch) -> None:
        await asyncio.sleep(0.05)
        self.records += len(batch.records)


async def test_only_a_few_large_batches_wait_to_be_handled(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer_thread, "MAX_HELD_BYTES", 4 * MIB)
    producer = AIOKafkaProducer(bootstrap_servers=list(settings.kafka_brokers))
    handler, topic = Slow(), Topics.of(settings).executions
    await producer.start()
    for partition in range(settings.partitions):
        for _ in range(12):
            await send_batch(producer, topic, partition, bomb("zstd", 2 * MIB, MIB // 2))
    await producer.stop()
    async with running(settings, handler, Fatal()) as app:
        thread = app.consumer._thread

        async def all_handled() -> bool:
            held = [batch for each in thread._held if (batch := each()) is not None]
            most.append(sum(each.size for each in held))
            return handler.records == settings.partitions * 12 * 4

        most: list[int] = []
        await until(all_handled)
    assert 2 * MIB < max(most) < 16 * MIB  # what waits, and at most one answer to a fetch more


async def test_a_handled_batch_is_committed_and_not_read_again(settings: Settings) -> None:
    await publish(settings, 50)
    first, second = Counting(), Counting()
    async with running(settings, first, Fatal()):

        async def all_committed() -> bool:
            return await committed(settings) == 50

        await until(all_committed)
    await publish(settings, 5)
    async with running(settings, second, Fatal()):

        async def rest_seen() -> bool:
            return second.seen == 5

        await until(rest_seen)
    assert first.seen == 50
    assert second.seen == 5


async def test_a_bug_commits_nothing_of_its_batch_and_is_reported(settings: Settings) -> None:
    handler, fatal = Counting(), Fatal()
    handler.fail_at = 1
    await publish(settings, 20)
    async with running(settings, handler, fatal):
        await asyncio.wait_for(fatal.raised.wait(), 120)
    assert isinstance(fatal.error, ValueError)
    assert await committed(settings) == 0
    again = Counting()
    async with running(settings, again, Fatal()):

        async def all_seen() -> bool:
            return again.seen == 20

        await until(all_seen)


async def test_a_batch_of_an_earlier_assignment_is_not_done(settings: Settings) -> None:
    handler = Counting()
    await publish(settings, 8)
    async with running(settings, handler, Fatal()) as app:

        async def all_seen() -> bool:
            return handler.seen == 8

        await until(all_seen)
        consumer = app.consumer
        batch = Batch(handler.batches[0], epoch=consumer._epoch)
        assert consumer.owns(batch)
        await consumer.on_partitions_revoked(set())
        assert not consumer.owns(batch)
        consumer.mark_done(batch)
        assert batch.topic_partition not in consumer._done
