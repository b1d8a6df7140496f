"""Where a consumer group begins that is new, on a real broker."""

import asyncio
from datetime import UTC, datetime, timedelta

from aiokafka import AIOKafkaProducer, TopicPartition

from schemas.settings import Settings
from streams.first_offsets import begin_since
from streams.offsets import GroupOffsets
from streams.topics import Topics, group_of


async def test_a_new_group_begins_at_a_time_and_an_old_one_where_it_was(settings: Settings) -> None:
    topic = Topics.of(settings).outcomes
    with_records, without = TopicPartition(topic, 0), TopicPartition(topic, 1)
    both = [with_records, without]
    producer = AIOKafkaProducer(bootstrap_servers=list(settings.kafka_brokers))
    await producer.start()
    old = await producer.send_and_wait(topic, b"old", partition=0)
    await asyncio.sleep(0.05)  # so that the next timestamp is later
    new = await producer.send_and_wait(topic, b"new", partition=0)
    await producer.stop()
    assert old.timestamp < new.timestamp
    since = datetime.fromtimestamp(new.timestamp / 1_000, UTC)

    async def committed(group: str) -> list[int]:
        offsets = GroupOffsets(settings, group)
        found = await offsets.read(both)
        await offsets.close()
        return [found[each].committed for each in both]

    group = group_of(settings, "notifier-a")
    assert await begin_since(settings, group, both, since)
    assert await committed(group) == [1, 0]
    assert not await begin_since(settings, group, both, since - timedelta(days=1))
    assert await committed(group) == [1, 0]

    later = group_of(settings, "notifier-b")
    assert await begin_since(settings, later, both, datetime.now(UTC) + timedelta(seconds=60))
    assert await committed(later) == [2, 0]
