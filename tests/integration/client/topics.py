"""The topic of executions: made, and read as the server reads it."""

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from schemas.execution import Execution
from schemas.settings import load_settings
from streams.partitions import partition_of
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
    settings = load_settings(kafka_brokers=brokers, topic_prefix=prefix, fetch_wait_ms=50)
    found = []
    async with open_reader(settings, f"{prefix}tool-executions", from_beginning=True) as reader:
        async for records in reader.to_the_end(30):
            for record in records:
                execution = Execution.from_bytes(record.value)
                assert record.key == execution.tool_name.encode()
                assert record.partition == partition_of(record.key, PARTITIONS)
                found.append(execution)
    return found
