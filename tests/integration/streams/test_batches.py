"""Each behaviour of Faust that ``streams.driver.batches`` and the agents rely on, on a real broker.

Every test runs an app of its own in this process, on topics of its own.
"""

import asyncio
import gc
import warnings
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaTimeoutError
from aiokafka.structs import ConsumerRecord
from faust.types import TP

from agents.worker.batch_agent import BatchAgent, Fatal
from policy.state.row import Row, decode, encode
from rollguard.operations.setup import create_missing_topics
from schemas.errors import Misconfigured
from schemas.settings import Settings, load_settings
from streams.driver.app import create_app
from streams.driver.batches import Batch
from streams.driver.kept_rows import KeptRows
from streams.driver.table import window_table
from streams.partitions import partition_of
from streams.topics import Topics, group_of
from tests.support.system import until

KEYS = [f"tool-{number}".encode() for number in range(8)]


# aiokafka may leave a connection that it was opening when it was stopped. It is found only when the
# loop of its test is gone, in the middle of any other test.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture(scope="module", autouse=True)
def nothing_left_open_for_other_modules() -> Iterator[None]:
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest_asyncio.fixture
async def settings(kafka: str, topic_prefix: str, tmp_path: Path) -> Settings:
    return await prepared(kafka, topic_prefix, tmp_path)


async def prepared(brokers: str, prefix: str, folder: Path) -> Settings:
    """Topics of this test, and small batches."""
    found = load_settings(
        kafka_brokers=brokers,
        topic_prefix=prefix,
        session_timeout_s=6,
        data_dir=folder,
        max_poll_records=7,
        fetch_wait_ms=20,
    )
    await create_missing_topics(found)
    return found


def row_of(table: Any, key: bytes) -> bytes | None:
    """A tool's row, wherever it is."""
    found: bytes | None = table.rows_of(partition_of(key, table.partitions)).get(key)
    return found


def empty_row() -> Row:
    """A row in which ``attempts`` serves as a counter."""
    return Row(
        read_to=-1,
        version_id=1,
        version_number=1,
        activation=1,
        activated_us=0,
        reactivated=False,
        baseline=None,
    )


class Counting:
    """Counts what it is handed, in a table."""

    def __init__(self) -> None:
        self.batches: list[list[ConsumerRecord]] = []
        self.table: Any = None
        self.fail_at: int | None = None

    async def handle(self, batch: Batch) -> None:
        """Add one to the row of each record's key."""
        self.batches.append(batch.records)
        if self.fail_at is not None and len(self.batches) >= self.fail_at:
            raise ValueError("a bug")
        partition = batch.place.partition
        rows: dict[bytes, Row] = {}
        for record in batch.records:
            data = self.table.rows_of(partition).get(record.key)
            row = rows.get(record.key) or (decode(data) if data else empty_row())
            row.read_to, row.attempts = record.offset, row.attempts + 1
            rows[record.key] = row
        await self.table.write(partition, [(key, encode(row)) for key, row in rows.items()])

    @property
    def seen(self) -> int:
        return sum(len(batch) for batch in self.batches)


class Forgetting(Counting):
    """Keeps nothing of what it is handed, but knows whether somebody else does."""

    def __init__(self) -> None:
        super().__init__()
        self.handed: list[weakref.ref[Batch]] = []

    async def handle(self, batch: Batch) -> None:
        self.handed.append(weakref.ref(batch))


def assert_in_order(handler: Counting) -> None:
    """Each partition was handled from its beginning on, each offset once."""
    by_partition: dict[int, list[int]] = {}
    for record in (record for batch in handler.batches for record in batch):
        by_partition.setdefault(record.partition, []).append(record.offset)
    for offsets in by_partition.values():
        assert offsets == list(range(len(offsets)))


@asynccontextmanager
async def running(
    settings: Settings, handler: Counting, fatal: Fatal, folder: Path | None = None
) -> AsyncIterator[Any]:
    topics = Topics.of(settings)
    app = create_app("detector", settings, [topics.executions], settings.partitions)
    (settings.data_dir / "detector").mkdir(exist_ok=True)
    handler.table = window_table(app, settings.partitions, fatal, folder)
    agent = BatchAgent(app, "count", [topics.executions], handler, fatal)
    await app.start()
    try:
        yield app
    finally:
        await agent.close(5)
        await app.stop()


async def publish(settings: Settings, count: int) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=list(settings.kafka_brokers))
    await producer.start()
    topic = Topics.of(settings).executions
    for number in range(count):
        await producer.send_and_wait(topic, b"%d" % number, key=KEYS[number % len(KEYS)])
    await producer.stop()


async def committed(settings: Settings) -> int:
    """The sum of the group's committed offsets."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=list(settings.kafka_brokers),
        group_id=group_of(settings, "detector"),
        enable_auto_commit=False,
    )
    topic = Topics.of(settings).executions
    await consumer.start()
    try:
        offsets = [
            await consumer.committed(TopicPartition(topic, number))
            for number in range(settings.partitions)
        ]
    finally:
        await consumer.stop()
    return sum(offset or 0 for offset in offsets)


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


async def test_what_is_done_needs_no_garbage_collector(settings: Settings) -> None:
    handler = Forgetting()
    await publish(settings, 100)
    gc.disable()
    try:
        async with running(settings, handler, Fatal()):

            async def all_gone_but_the_last() -> bool:
                held = [each for each in handler.handed if each() is not None]
                return len(handler.handed) >= settings.partitions and len(held) <= 1

            await until(all_gone_but_the_last)
    finally:
        gc.enable()


async def test_what_is_done_is_committed_and_not_read_again(settings: Settings) -> None:
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
        await asyncio.wait_for(fatal.raised.wait(), 30)
    assert isinstance(fatal.error, ValueError)
    assert await committed(settings) == 0
    again = Counting()
    async with running(settings, again, Fatal()):

        async def all_seen() -> bool:
            return again.seen == 20

        await until(all_seen)


@pytest.mark.kafka
@pytest.mark.parametrize("kept", [False, True])
async def test_rows_come_back_after_a_restart(
    kept: bool, apache_kafka: str, topic_prefix: str, tmp_path: Path
) -> None:
    """From the changelog; where they are kept on disk, only what is new is read from there."""
    settings = await prepared(apache_kafka, topic_prefix, tmp_path)
    folder = tmp_path / "rows" if kept else None
    await publish(settings, 80)
    first, second, third = Counting(), Counting(), Counting()
    async with running(settings, first, Fatal(), folder):

        async def all_committed() -> bool:
            return await committed(settings) == 80

        await until(all_committed)
    async with running(settings, second, Fatal()) as app:  # elsewhere
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
    read = third.table.data.recovered
    most = 8 + settings.partitions  # Faust begins with the last that is known
    assert 8 <= read <= most if kept else read > most


async def test_nothing_is_kept_behind_rows_of_somebody_else(
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
        store.keep(9, [(b"a", b"9")], 4)  # what is at 3 was not ours
        assert 9 not in store._kept
    again = KeptRows.open(tmp_path / "other", 9)
    assert (again.offset, again.load()) == (2, {b"a": b"3", b"b": b"2"})
    again.close()


def test_rows_on_disk(tmp_path: Path) -> None:
    kept = KeptRows.open(tmp_path, 3)
    assert (kept.offset, kept.load()) == (None, {})
    kept.write([(b"a", b"1"), (b"b", b"2")], 7)
    kept.write([(b"a", b"3")], 9)
    with pytest.raises(Misconfigured, match=r"rows kept in .*3"):
        KeptRows.open(tmp_path, 3)
    kept.close()
    again = KeptRows.open(tmp_path, 3)
    assert (again.offset, again.load()) == (9, {b"a": b"3", b"b": b"2"})
    again.close()


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
        await asyncio.wait_for(fatal.raised.wait(), 10)
        monkeypatch.undo()
        app.consumer._done[TP(Topics.of(settings).executions, 0)] = 1
    assert isinstance(fatal.error, KafkaTimeoutError)
    assert await committed(settings) == 0


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


def test_the_partitioner_is_the_one_of_java_and_aiokafka() -> None:
    # murmur2 of the Java client's own test (UtilsTest.testMurmur2): "21" is -973932308
    assert partition_of(b"21", 2**31) == (-973932308) & 0x7FFFFFFF


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
        assert batch.place not in consumer._done


async def test_resuming_the_flow_does_not_empty_the_queue(settings: Settings) -> None:
    """Several restarts with a backlog on all partitions: none of it is left lying."""
    seen = 0
    for round_number in range(4):
        await publish(settings, 12)
        handler = Counting()
        async with running(settings, handler, Fatal()) as app:

            async def all_committed(total: int = 12 * (round_number + 1)) -> bool:
                return await committed(settings) == total

            await until(all_committed)
            [channel] = [c for c in app.topics._topics if "tool-executions" in c.topics[0]]
            channel.queue.force_put_nowait("kept")
            app.flow_control.resume()
            assert channel.queue.get_nowait() == "kept"
        seen += handler.seen
    assert seen >= 48


async def test_what_was_never_committed_is_read_again(settings: Settings) -> None:
    """Faust seeks after a rebalance, for it may have thrown away what it had fetched."""
    handler = Counting()
    await publish(settings, 20)
    async with running(settings, handler, Fatal()) as app:
        app.consumer.refuse_commits()

        async def seen(times: int) -> bool:
            return handler.seen == 20 * times

        await until(lambda: seen(1))
        await app.consumer.perform_seek()
        await until(lambda: seen(2))


async def test_what_is_fetched_for_nobody_comes_back(settings: Settings) -> None:
    """A fetch that is not waited for any more goes on in the consumer's thread."""
    handler = Counting()
    topic = Topics.of(settings).executions
    places = {TP(topic, number) for number in range(settings.partitions)}
    async with running(settings, handler, Fatal()) as app:
        await publish(settings, 8)

        async def seen(count: int) -> bool:
            return handler.seen >= count

        await until(lambda: seen(8))
        for _ in range(3):
            left = asyncio.ensure_future(app.consumer._thread.getmany(places, 5.0))
            await asyncio.sleep(0.2)
            left.cancel()
            await asyncio.gather(left, return_exceptions=True)
        await publish(settings, 40)
        await until(lambda: seen(48))
    offsets = {
        (record.partition, record.offset) for records in handler.batches for record in records
    }
    assert len(offsets) == 48


async def test_what_is_lost_on_the_way_is_missed_by_the_next_batch(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever throws a fetch away: it is read again before what is behind it."""
    handler, lost = Counting(), set[int]()
    async with running(settings, handler, Fatal()) as app:
        to_message = app.consumer._to_message

        def losing(place: TP, record: Any) -> Any:
            message = to_message(place, record)
            if place.topic == Topics.of(settings).executions and place.partition not in lost:
                lost.add(place.partition)
                message.value.epoch = -1  # refused, as if thrown away
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


async def test_what_comes_before_the_seek_to_what_is_committed_waits(settings: Settings) -> None:
    """Faust lets source partitions be fetched a moment earlier, from wherever they stand."""
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
