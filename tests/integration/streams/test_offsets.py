"""The offsets of a group, and lag that holds no record, on a real broker."""

from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from streams.offsets import GroupOffsets, Offsets
from streams.topics import group_of
from tests.support.systems.system import System


@pytest.mark.kafka
async def test_lag_that_holds_no_record_is_recognised(
    apache_kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with System.started(apache_kafka, database_dsn, topic_prefix, tmp_path, ()) as system:
        settings = system.settings
        tp = TopicPartition(system.topics.executions, 1)
        producer = AIOKafkaProducer(
            bootstrap_servers=apache_kafka, transactional_id=f"{topic_prefix}engine"
        )
        await producer.start()
        async with producer.transaction():
            await producer.send_and_wait(tp.topic, b"{}", partition=1)
        await producer.stop()
        group = group_of(settings, "recorder")
        offsets = GroupOffsets(settings, group)
        [found] = (await offsets.read([tp])).values()
        assert found == Offsets(0, 2)
        assert await offsets.without_records({tp: found}) == set()

        consumer = AIOKafkaConsumer(
            bootstrap_servers=apache_kafka, group_id=group, enable_auto_commit=False
        )
        await consumer.start()
        consumer.assign([tp])
        await consumer.commit({tp: 1})
        await consumer.stop()
        [found] = (await offsets.read([tp])).values()
        assert found == Offsets(1, 2)  # offset 1 is the transaction's marker
        assert await offsets.without_records({tp: found}) == {tp}

        await system.send(tp.topic, "any", b"{}", b"{}", partition=1)
        [found] = (await offsets.read([tp])).values()
        assert found == Offsets(1, 4)
        assert await offsets.without_records({tp: found}) == set()
        admin = AIOKafkaAdminClient(bootstrap_servers=apache_kafka)
        await admin.start()
        await admin.delete_records({tp: RecordsToDelete(before_offset=4)})
        await admin.close()
        assert await offsets.without_records({tp: found}) == {tp}
        await offsets.close()
