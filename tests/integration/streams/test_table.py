"""The detector's table: its changelog, its recovery and its rows on disk, on a real broker."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.errors import KafkaTimeoutError
from aiokafka.structs import ConsumerRecord
from faust.types import TP

from agents.worker.fatal import Fatal
from policy.state.row import decode, encode
from schemas.settings import Settings
from streams.driver.batch import Batch
from streams.driver.kept_rows import KeptRows
from streams.partitions import partition_of
from streams.topics import Topics
from tests.support.systems.batch_reader import (
    KEYS,
    Counting,
    committed,
    empty_row,
    prepared,
    publish,
    row_of,
    running,
)
from tests.support.waiting import until


@pytest.mark.kafka
@pytest.mark.parametrize("kept", [False, True])
async def test_rows_come_back_after_a_restart(
    kept: bool, apache_kafka: str, topic_prefix: str, tmp_path: Path
) -> None:
    """They are read from the changelog, or only from its end if rows are kept on disk."""
    settings = await prepared(apache_kafka, topic_prefix, tmp_path)
    folder = tmp_path / "rows" if kept else None
    await publish(settings, 80)
    first, second, third = Counting(), Counting(), Counting()
    async with running(settings, first, Fatal(), folder):

        async def all_committed() -> bool:
            return await committed(settings) == 80

        await until(all_committed)
    async with running(settings, second, Fatal()):  # another worker, without the rows on disk
        await publish(settings, 8)

        async def counted() -> bool:
            return await committed(settings) == 88

        await until(counted)
    async with running(settings, third, Fatal(), folder) as app:

        async def recovered() -> bool:
            rows = [row_of(third.table, key) for key in KEYS]
            return not app.rebalancing and all(row and decode(row).attempts == 11 for row in rows)

        await until(recovered)
    assert (second.seen, third.seen) == (8, 0)
    read = third.table.recoveries.records
    most = 8 + settings.partitions  # recovery begins with the last record that is on disk
    assert 8 <= read <= most if kept else read > most


async def test_no_rows_are_kept_after_a_gap_in_the_changelog(
    settings: Settings, tmp_path: Path
) -> None:
    handler = Counting()
    async with running(settings, handler, Fatal(), tmp_path / "rows"):
        store = handler.table.data
        kept = KeptRows.open(tmp_path / "other", 9)
        store._kept[9] = kept
        store.keep(9, [(b"a", b"1"), (b"b", b"2")], 0)
        store.keep(9, [(b"a", b"3")], 2)
        assert kept.offset == 2
        store.keep(9, [(b"a", b"9")], 4)  # another worker wrote offset 3
        assert 9 not in store._kept
    again = KeptRows.open(tmp_path / "other", 9)
    assert (again.offset, again.load()) == (2, {b"a": b"3", b"b": b"2"})
    again.close()


@pytest.mark.kafka
@pytest.mark.parametrize("kept", [False, True])
async def test_a_forgotten_tool_stays_forgotten_after_a_restart(
    kept: bool, apache_kafka: str, topic_prefix: str, tmp_path: Path
) -> None:
    settings = await prepared(apache_kafka, topic_prefix, tmp_path)
    folder = tmp_path / "rows" if kept else None
    first, second = Counting(), Counting()
    key, others = KEYS[0], KEYS[1:]
    async with running(settings, first, Fatal(), folder) as app:
        await publish(settings, 80)

        async def all_committed() -> bool:
            return await committed(settings) == 80

        await until(all_committed)
        partition = partition_of(key, settings.partitions)
        row = row_of(first.table, key)
        assert row is not None
        assert await first.table.remove(partition, {key: bytearray(row)}) == [], "it has changed"
        assert await first.table.remove(partition, {key: row}) == [key]
        assert row_of(first.table, key) is None
        await app.producer.flush()
        await asyncio.sleep(0.2)  # what was sent is then written to disk, too
    async with running(settings, second, Fatal(), folder) as app:

        async def recovered() -> bool:
            return not app.rebalancing and all(row_of(second.table, each) for each in others)

        await until(recovered)
        assert row_of(second.table, key) is None


async def test_recovery_keeps_the_row_that_has_read_furthest(settings: Settings) -> None:
    handler = Counting()
    async with running(settings, handler, Fatal()):
        rows = {}
        for read_to in (5, 50, 6):
            rows[read_to] = empty_row()
            rows[read_to].read_to = read_to
        records = [
            SimpleNamespace(topic="t", partition=0, offset=0, key=b"zombie", value=encode(row))
            for row in rows.values()
        ]
        batch = Batch(cast(list[ConsumerRecord], records))
        event = SimpleNamespace(message=SimpleNamespace(value=batch))
        handler.table.apply_changelog_batch([event])
        assert decode(handler.table.rows_of(0)[b"zombie"]).read_to == 50


async def test_flush_waits_for_what_was_sent_before(settings: Settings) -> None:
    handler = Counting()
    acknowledged: list[Any] = []
    async with running(settings, handler, Fatal()) as app:
        handler.table._note_sent = lambda *sent: acknowledged.append(sent)
        for _ in range(50):
            await handler.table.write(0, [(key, encode(empty_row())) for key in KEYS])
        await app.producer.flush()
        await asyncio.sleep(0)  # callbacks run after their futures are done
        assert len(acknowledged) == 50


async def test_after_a_failed_send_nothing_is_committed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler, fatal = Counting(), Fatal()
    async with running(settings, handler, fatal) as app:

        async def failing(*args: Any, **options: Any) -> "asyncio.Future[Any]":
            future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            future.set_exception(KafkaTimeoutError())
            return future

        monkeypatch.setattr(app.producer._ensure_producer(), "send_batch", failing)
        await publish(settings, 20)
        await asyncio.wait_for(fatal.raised.wait(), 120)
        monkeypatch.undo()
        app.consumer._done[TP(Topics.of(settings).executions, 0)] = 1
    assert isinstance(fatal.error, KafkaTimeoutError)
    assert await committed(settings) == 0
