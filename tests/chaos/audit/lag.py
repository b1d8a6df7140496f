"""How far the roles are behind: the groups' committed offsets against the ends of the topics."""

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
    """Records that are not committed yet, of all roles."""
    brokers = list(settings.kafka_brokers)
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers)
    consumer = AIOKafkaConsumer(bootstrap_servers=brokers)
    await admin.start()
    try:
        await consumer.start()
        behind = 0
        for group, topics in _READS.items():
            places = [TopicPartition(t, p) for t in topics for p in range(PARTITIONS)]
            ends = await consumer.end_offsets(places)
            committed = await admin.list_consumer_group_offsets(group, partitions=places)
            behind += sum(end - max(committed[place].offset, 0) for place, end in ends.items())
        return behind
    finally:
        await consumer.stop()
        await admin.close()


async def until_none(settings: Settings, timeout_s: float) -> float:
    """Return when nothing is behind, twice in a row; after how many seconds. Else TimeoutError."""
    clock = asyncio.get_running_loop().time
    begin, still = clock(), 0
    async with asyncio.timeout(timeout_s):
        while still < 2:
            still = still + 1 if await lag(settings) == 0 else 0
            await asyncio.sleep(0.5)
    return clock() - begin
