"""The topics that a client writes to: made, and read as the server reads them."""

from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from schemas.engine_report import EndedEngine, EngineReport
from schemas.execution import Execution
from schemas.settings import load_settings
from streams.partitions import partition_of
from streams.records import RecordValidator
from streams.topic_reader import open_reader

PARTITIONS = 4


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
