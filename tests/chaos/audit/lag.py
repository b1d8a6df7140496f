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
    consumer = AIOKafkaConsumer(
        bootstrap_servers=brokers, enable_auto_commit=False, isolation_level="read_committed"
    )
    await admin.start()
    try:
        await consumer.start()
        records = 0
        for group, topics in _READS.items():
            partitions = [TopicPartition(t, p) for t in topics for p in range(PARTITIONS)]
            ends = await consumer.end_offsets(partitions)
            committed = await admin.list_consumer_group_offsets(group, partitions=partitions)
            done = {each: max(committed[each].offset, 0) for each in partitions}
            lagging = {each: begin for each, begin in done.items() if begin < ends[each]}
            for each in await _with_records(consumer, lagging, ends):
                records += ends[each] - lagging[each]
        return records
    finally:
        await consumer.stop()
        await admin.close()


async def _with_records(
    consumer: AIOKafkaConsumer, begins: dict[TopicPartition, int], ends: dict[TopicPartition, int]
) -> set[TopicPartition]:
    """Return the partitions that hold a record between these offsets.

    The end of a transaction has an offset that no worker commits, and is no record.
    """
    if not begins:
        return set()
    consumer.assign(list(begins))
    for each, begin in begins.items():
        consumer.seek(each, begin)
    found: set[TopicPartition] = set()
    unknown = set(begins)
    while unknown:
        found |= set(await consumer.getmany(*unknown, timeout_ms=100))
        unknown = {each for each in unknown - found if await consumer.position(each) < ends[each]}
    return found


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
