"""What an operator, or an accident, does to topics while roles run or before they start."""

import shlex
import subprocess
from collections.abc import Mapping

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.structs import ConsumerRecord

from schemas.settings import Settings
from streams.admin import kafka_admin
from streams.broker_topics.checks import partition_counts
from streams.partitions import partition_of
from streams.topic_reader import open_reader
from streams.topics import Topics
from tests.support.servers.kafka import APACHE
from tests.support.waiting import until

_JARS = APACHE.parents[2] / ".cache" / "kafka"


async def set_partitions(
    settings: Settings, count: int, *topics: str, producer: AIOKafkaProducer
) -> None:
    """Give topics more partitions, as Kafka's own tool does; return when the producer knows them.

    A broker answers the command before it tells clients of the new partitions.
    """
    async with kafka_admin(settings) as admin:
        await admin.create_partitions({name: NewPartitions(count) for name in topics})

    async def known() -> bool:
        await producer.client.force_metadata_update()
        return all([len(await producer.partitions_for(name)) == count for name in topics])

    await until(known)


async def create_topic(
    admin: AIOKafkaAdminClient, settings: Settings, topic: str, **changed: str | None
) -> None:
    """Create a topic by hand, and return when the broker lists it.

    ``changed`` (``_`` for ``.``) are settings, None: Kafka's default.
    """
    wanted = Topics.of(settings).config_of(topic, settings) | {
        name.replace("_", "."): value for name, value in changed.items()
    }
    given = {name: value for name, value in wanted.items() if value is not None}
    response = await admin.create_topics(
        [NewTopic(topic, settings.partitions, 1, topic_configs=given)]
    )
    assert not response.topic_errors[0][1], response

    async def is_listed() -> bool:
        return topic in await partition_counts(admin, settings)

    await until(is_listed)


def run_kafka_configs(command: str) -> None:
    """Run a command ``kafka-configs.sh …`` with the jars of the test's broker."""
    name, *arguments = shlex.split(command)
    assert name == "kafka-configs.sh"
    [jars] = [folder for folder in _JARS.iterdir() if folder.name.isdecimal()]
    java = ["java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", f"{jars}/*"]
    subprocess.run([*java, "kafka.admin.ConfigCommand", *arguments], check=True, timeout=120)


async def all_records(settings: Settings, topic: str) -> list[ConsumerRecord]:
    """Return all records of the topic, of whatever partition."""
    async with open_reader(settings, topic, from_beginning=True) as reader:
        return [record async for records in reader.to_the_end(5) for record in records]


def tools_by_move(before: int, after: int) -> Mapping[bool, str]:
    """Return a tool whose partition changes with the number of partitions, and one that stays."""
    found: dict[bool, str] = {}
    for number in range(100):
        key = f"tool-{number}".encode()
        found[partition_of(key, before) != partition_of(key, after)] = key.decode()
    return found
