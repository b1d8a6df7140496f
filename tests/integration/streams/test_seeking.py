"""The reading again of batches after a rebalance or a lost fetch, on a real broker."""

import asyncio
from typing import Any

import pytest
from faust.types import TP

from agents.worker.fatal import Fatal
from schemas.settings import Settings
from streams.topics import Topics
from tests.support.systems.batch_reader import (
    Counting,
    assert_in_order,
    committed,
    publish,
    running,
)
from tests.support.waiting import until


async def test_resuming_the_flow_does_not_empty_the_queue(settings: Settings) -> None:
    """After several restarts with a backlog on all partitions, everything is handled."""
    seen = 0
    for round_number in range(4):
        await publish(settings, 12)
        handler = Counting()
        async with running(settings, handler, Fatal()) as app:

            async def all_committed(total: int = 12 * (round_number + 1)) -> bool:
                return await committed(settings) == total

            await until(all_committed)
            executions = Topics.of(settings).executions
            [channel] = [each for each in app.topics._topics if executions in each.topics]
            channel.queue.force_put_nowait("kept")
            app.flow_control.resume()
            assert channel.queue.get_nowait() == "kept"
        seen += handler.seen
    assert seen >= 48


async def test_records_that_were_never_committed_are_read_again(settings: Settings) -> None:
    """Faust seeks after a rebalance, because it may have thrown fetches away."""
    handler = Counting()
    await publish(settings, 20)
    async with running(settings, handler, Fatal()) as app:
        app.consumer.refuse_commits()

        async def seen(times: int) -> bool:
            return handler.seen == 20 * times

        await until(lambda: seen(1))
        await app.consumer.perform_seek()
        await until(lambda: seen(2))


async def test_a_fetch_that_nobody_waits_for_is_read_again(settings: Settings) -> None:
    """Such a fetch goes on in the consumer's thread, and moves the position."""
    handler = Counting()
    topic = Topics.of(settings).executions
    partitions = {TP(topic, number) for number in range(settings.partitions)}
    async with running(settings, handler, Fatal()) as app:
        await publish(settings, 8)

        async def seen(count: int) -> bool:
            return handler.seen >= count

        await until(lambda: seen(8))
        for _ in range(3):
            fetch = asyncio.ensure_future(app.consumer._thread.getmany(partitions, 5.0))
            await asyncio.sleep(0.2)
            fetch.cancel()
            await asyncio.gather(fetch, return_exceptions=True)
        await publish(settings, 40)
        await until(lambda: seen(48))
    offsets = {
        (record.partition, record.offset) for records in handler.batches for record in records
    }
    assert len(offsets) == 48


async def test_a_lost_fetch_is_noticed_at_the_next_batch_and_read_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lost records are handled before the records of the next batch."""
    handler, lost = Counting(), set[int]()
    async with running(settings, handler, Fatal()) as app:
        to_message = app.consumer._to_message

        def losing(tp: TP, record: Any) -> Any:
            message = to_message(tp, record)
            if tp.topic == Topics.of(settings).executions and tp.partition not in lost:
                lost.add(tp.partition)
                message.value.epoch = -1  # such a batch is not handled, as if it were lost
            return message

        monkeypatch.setattr(app.consumer, "_to_message", losing)
        await publish(settings, 40)

        async def all_lost_once() -> bool:
            return len(lost) == settings.partitions

        await until(all_lost_once)
        await publish(settings, 40)

        async def all_seen() -> bool:
            return handler.seen == 80

        await until(all_seen)
    assert_in_order(handler)


async def test_a_batch_that_was_fetched_before_the_seek_is_not_handled(settings: Settings) -> None:
    """Faust may fetch source partitions before the seek, from whatever position they have."""
    handler = Counting()
    async with running(settings, handler, Fatal()) as app:

        async def seen(count: int) -> bool:
            return handler.seen >= count

        await publish(settings, 8)
        await until(lambda: seen(8))
        app.consumer._next.clear()  # as at a revocation
        app.consumer._thread._read_to.clear()
        await publish(settings, 16)
        await asyncio.sleep(1)
        assert handler.seen == 8
        await app.consumer.perform_seek()
        await until(lambda: seen(24))
    assert_in_order(handler)
