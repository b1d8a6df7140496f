"""A driver that reads batches in this process, and handlers that count the records."""

import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.structs import ConsumerRecord
from prometheus_client import CollectorRegistry

from agents.worker.batch_agent import BatchAgent
from agents.worker.fatal import Fatal
from agents.worker.metrics.work_metrics import WorkMetrics
from policy.state.row import Row, decode, encode
from rollguard.operations.setup import create_missing_topics
from schemas.settings import Settings, load_settings
from streams.broker_topics.watch import TopicWatch
from streams.driver.batch import Batch
from streams.driver.driver import Driver
from streams.driver.table import window_table
from streams.partitions import partition_of
from streams.topics import Topics, group_of
from streams.waits import Waits

KEYS = [f"tool-{number}".encode() for number in range(8)]


async def prepared(brokers: str, prefix: str, folder: Path) -> Settings:
    """Create the topics of a test, and return its settings, by which batches are small."""
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
    """Return a tool's row, from the partition to which the tool belongs."""
    found: bytes | None = table.rows_of(partition_of(key, table.partitions)).get(key)
    return found


def empty_row() -> Row:
    """Return a row in which ``attempts`` serves as a counter."""
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
    """A handler that counts the records of each tool in a table."""

    def __init__(self) -> None:
        self.batches: list[list[ConsumerRecord]] = []
        self.table: Any = None
        self.fail_at: int | None = None

    async def handle(self, batch: Batch) -> None:
        """Add one to the row of each record's key."""
        self.batches.append(batch.records)
        if self.fail_at is not None and len(self.batches) >= self.fail_at:
            raise ValueError("a bug")
        partition = batch.topic_partition.partition
        rows: dict[bytes, Row] = {}
        for record in batch.records:
            data = self.table.rows_of(partition).get(record.key)
            row = rows.get(record.key) or (decode(data) if data else empty_row())
            row.read_to, row.attempts = record.offset, row.attempts + 1
            rows[record.key] = row
        await self.table.write(partition, [(key, encode(row)) for key, row in rows.items()])

    @property
    def seen(self) -> int:
        """The number of records that were handled."""
        return sum(len(batch) for batch in self.batches)


class Forgetting(Counting):
    """A handler that keeps only weak references to its batches, to see whether they are freed."""

    def __init__(self) -> None:
        super().__init__()
        self.handed_over: list[weakref.ref[Batch]] = []

    async def handle(self, batch: Batch) -> None:
        self.handed_over.append(weakref.ref(batch))


def assert_in_order(handler: Counting) -> None:
    """Require that each partition was handled from its beginning on, each offset once."""
    by_partition: dict[int, list[int]] = {}
    for record in (record for batch in handler.batches for record in batch):
        by_partition.setdefault(record.partition, []).append(record.offset)
    for offsets in by_partition.values():
        assert offsets == list(range(len(offsets)))


@asynccontextmanager
async def running(
    settings: Settings, handler: Counting, fatal: Fatal, folder: Path | None = None
) -> AsyncIterator[Any]:
    """Run a driver that reads executions, and yield its Faust app."""
    topics = Topics.of(settings)
    driver = Driver.of_role("detector", settings, [topics.executions], settings.partitions)
    (settings.data_dir / "detector").mkdir(exist_ok=True)
    handler.table = window_table(driver, settings.partitions, fatal, folder)
    watch = TopicWatch(settings, settings.partitions, Waits())
    metrics = WorkMetrics(CollectorRegistry())
    agent = BatchAgent(driver, "count", [topics.executions], handler, fatal, watch, metrics)
    await driver.start()
    try:
        yield driver.app
    finally:
        await agent.close(5)
        await driver.stop()


async def publish(settings: Settings, count: int) -> None:
    """Publish ``count`` executions, to the tools in turn."""
    producer = AIOKafkaProducer(bootstrap_servers=list(settings.kafka_brokers))
    await producer.start()
    topic = Topics.of(settings).executions
    for number in range(count):
        await producer.send_and_wait(topic, b"%d" % number, key=KEYS[number % len(KEYS)])
    await producer.stop()


async def committed(settings: Settings) -> int:
    """Return the sum of the group's committed offsets."""
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
