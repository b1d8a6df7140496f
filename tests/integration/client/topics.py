"""The topics of a client: made, written as the server does, and read as it does."""

from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from rollguard_client import Rollguard
from schemas.deployment import ToolVersion
from schemas.engine_report import EndedEngine, EngineReport
from schemas.execution import Execution
from schemas.settings import load_settings
from streams.partitions import partition_of
from streams.records import RecordValidator
from streams.topic_reader import open_reader

PARTITIONS = 4
TOPICS = ("tool-executions", "tool-versions", "engine-reports")


async def make_topics(brokers: str, prefix: str, *names: str) -> None:
    """Make the topics with these names."""
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(prefix + name, PARTITIONS, 1) for name in names])
    finally:
        await admin.close()


async def published(brokers: str, prefix: str) -> list[Execution]:
    """Return all executions, in the order of each partition; each is where its tool belongs."""
    found = []
    for record in await _records(brokers, prefix, "tool-executions"):
        execution = Execution.from_bytes(record.value)
        assert record.key == execution.tool_name.encode()
        assert record.partition == partition_of(record.key, PARTITIONS)
        found.append(execution)
    return found


async def publish(brokers: str, prefix: str, *versions: ToolVersion | bytes) -> None:
    """Publish current versions, as the applier does."""
    producer = AIOKafkaProducer(bootstrap_servers=brokers)
    await producer.start()
    for each in versions:
        value = each if isinstance(each, bytes) else each.to_bytes()
        key = b"parser" if isinstance(each, bytes) else each.tool_name.encode()
        await producer.send_and_wait(f"{prefix}tool-versions", value, key=key)
    await producer.stop()


def guard_of(brokers: str, prefix: str, folder: Path, **values: Any) -> Rollguard:
    given: dict[str, Any] = {
        "kafka_brokers": brokers,
        "topic_prefix": prefix,
        "data_dir": folder,
    }
    return Rollguard(**given | {"fetch_wait_ms": 50, "flush_s": 20} | values)


async def reported(brokers: str, prefix: str) -> list[EngineReport | EndedEngine]:
    """Return all reports of engines, in the order of each partition, as the recorder reads them."""
    settings = load_settings(kafka_brokers=brokers, topic_prefix=prefix)
    validator = RecordValidator(settings, PARTITIONS)
    records = await _records(brokers, prefix, "engine-reports")
    return [validator.engine_report(record) for record in records]


async def _records(brokers: str, prefix: str, topic: str) -> list[Any]:
    settings = load_settings(kafka_brokers=brokers, topic_prefix=prefix, fetch_wait_ms=50)
    async with open_reader(settings, prefix + topic, from_beginning=True) as reader:
        return [record async for records in reader.to_the_end(30) for record in records]
