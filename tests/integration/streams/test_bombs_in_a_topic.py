"""Whoever reads a topic without a group, as the registry and the command line, is bounded too."""

from aiokafka import AIOKafkaProducer

from schemas.settings import Settings
from streams.topic_reader import open_reader
from streams.topics import Topics
from streams.unpacking.batches import not_unpacked_in
from tests.support.inputs.bombs import CODECS, MIB, bomb, many_streams, send_batch


async def test_a_reader_gets_a_record_in_the_place_of_a_huge_batch(settings: Settings) -> None:
    topic = Topics.of(settings).versions
    async with AIOKafkaProducer(bootstrap_servers=list(settings.kafka_brokers)) as producer:
        for codec in CODECS:
            await send_batch(producer, topic, 0, bomb(codec, 20 * MIB))
        await send_batch(producer, topic, 0, many_streams(1_000))
        await producer.send_and_wait(topic, b"after", key=b"words", partition=0)
    async with open_reader(settings, topic, from_beginning=True) as reader:
        records = [each async for some in reader.to_the_end(20) for each in some]
    assert [each.offset for each in records] == [19, 39, 59, 79, 80, 81]
    assert [each.value for each in records] == [None] * 5 + [b"after"]
    assert all(not_unpacked_in(each.headers) for each in records[:5])
