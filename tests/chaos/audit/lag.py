"""The lag of the roles: the committed offsets of their groups against the ends of the topics."""

import asyncio

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from schemas.settings import Settings
from tests.chaos.stack import PARTITIONS

_READS = {
    "rollguard-detector": ("tool-executions",),
    "rollguard-applier": ("tool-deployments", "rollback-commands"),
    "rollguard-recorder": ("tool-executions",),
}


async def lag(settings: Settings) -> int:
    """Return the number of records that are not committed yet, over all roles."""
    brokers = list(settings.kafka_brokers)
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers)
    consumer = AIOKafkaConsumer(bootstrap_servers=brokers)
    await admin.start()
    try:
        await consumer.start()
        records = 0
        for group, topics in _READS.items():
            partitions = [TopicPartition(t, p) for t in topics for p in range(PARTITIONS)]
            ends = await consumer.end_offsets(partitions)
            committed = await admin.list_consumer_group_offsets(group, partitions=partitions)
            records += sum(end - max(committed[each].offset, 0) for each, end in ends.items())
        return records
    finally:
        await consumer.stop()
        await admin.close()


async def wait_until_none(settings: Settings, timeout_s: float) -> float:
    """Wait until there is no lag, twice in a row; return the seconds that it took.

    Raise TimeoutError if that does not happen in time.
    """
    clock = asyncio.get_running_loop().time
    begin, samples_without_lag = clock(), 0
    async with asyncio.timeout(timeout_s):
        while samples_without_lag < 2:
            samples_without_lag = samples_without_lag + 1 if await lag(settings) == 0 else 0
            await asyncio.sleep(0.5)
    return clock() - begin
