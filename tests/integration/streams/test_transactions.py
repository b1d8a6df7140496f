"""Records of transactions, on Apache Kafka: an aborted one never happened, an open one not yet."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from rollguard.registry import ToolRegistry
from schemas.deployment import ToolVersion, code_hash_of
from schemas.execution import Execution
from schemas.message import Message
from streams.offsets import GroupOffsets
from streams.partitions import partition_of
from streams.topic_reader import open_reader
from streams.topics import group_of
from tests.support.inputs.messages import deployment, execution
from tests.support.systems.system import System
from tests.support.waiting import WAIT_S, until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(540)]

ROLES = ("detector", "applier", "recorder")
V1, V2 = "def execute(): return 1\n", "def execute(): return 2\n"


@asynccontextmanager
async def transactional(system: System) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(
        bootstrap_servers=list(system.settings.kafka_brokers),
        transactional_id=f"{system.settings.topic_prefix}engine",
    )
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def send(producer: AIOKafkaProducer, topic: str, tool: str, *values: Message) -> None:
    for value in values:
        await producer.send_and_wait(topic, value.to_bytes(), key=tool.encode())


class Codes:
    """Takes the code of a version for its tool."""

    async def load(self, version: ToolVersion) -> str:
        return version.code

    async def unload(self, tool: str) -> None:
        return


async def current_number(system: System, tool: str) -> int:
    sql = "SELECT version_number FROM tool_versions WHERE tool_name = $1 AND is_current"
    [row] = await system.query(sql, tool)
    return int(row["version_number"])


async def test_only_what_was_committed_counts(
    apache_kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    """Three failures roll a version back; here two transactions have them, and one is aborted."""
    async with System.started(apache_kafka, database_dsn, topic_prefix, tmp_path, ROLES) as system:
        await system.deploy("t", V1)
        created = await system.deploy("t", V2)

        def failures() -> list[Execution]:
            version_id = created.version_id
            return [execution("t", "ValueError: x", version_id=version_id) for _ in range(3)]

        log = system.topics.executions
        async with transactional(system) as producer:
            await producer.begin_transaction()
            await send(producer, log, "t", *failures())
            await send(producer, system.topics.deployments, "t", deployment("t", "aborted = 1\n"))
            await producer.abort_transaction()
            await system.run(execution("t", version_id=created.version_id))
            await system.executions_recorded("t", 1)
            assert await current_number(system, "t") == 2
            [counted] = await system.query("SELECT count(*) FROM tool_executions")
            assert counted[0] == 1

            await producer.begin_transaction()
            await send(producer, log, "t", *failures())
            await system.run(
                execution("t", version_id=created.version_id)
            )  # waits for the open one
            offsets = GroupOffsets(system.settings, group_of(system.settings, "detector"))

            tp = TopicPartition(log, partition_of(b"t", system.settings.partitions))

            async def nothing_to_read() -> bool:
                found = await offsets.read([tp])
                assert found[tp].end <= 7  # the first record of the open transaction
                return found[tp].lag == 0 or await offsets.without_records(found) == {tp}

            await until(nothing_to_read)
            await offsets.close()
            assert await current_number(system, "t") == 2
            await system.all_ready()
            await producer.commit_transaction()

        async def rolled_back() -> bool:
            return await current_number(system, "t") == 1

        await until(rolled_back)
        await system.executions_recorded("t", 5)

        async def detector_knows() -> bool:
            return bool((await system.health("t"))[1]["version_number"] == 1)

        await until(detector_knows)


async def test_readers_of_topics_skip_what_was_aborted(
    apache_kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    roles = ("applier",)
    async with System.started(apache_kafka, database_dsn, topic_prefix, tmp_path, roles) as system:
        await system.deploy("t", V1)
        topic = system.topics.executions
        async with transactional(system) as producer:
            await producer.begin_transaction()
            await send(producer, topic, "t", execution("t"), execution("t"))
            await producer.abort_transaction()
            async with producer.transaction():
                await send(producer, topic, "t", execution("t"))
        read = 0
        async with open_reader(system.settings, topic, from_beginning=True) as reader:
            async for records in reader.to_the_end(WAIT_S):
                read += len(records)
        assert read == 2  # the activation, and the committed execution


async def test_an_engine_loads_no_version_of_an_aborted_transaction(
    apache_kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    roles = ("applier",)
    async with System.started(apache_kafka, database_dsn, topic_prefix, tmp_path, roles) as system:
        await system.deploy("t", V1)
        [record] = await system.records(system.topics.versions, 1)
        current = ToolVersion.from_bytes(record.value)
        changes = {"code": V2, "code_hash": code_hash_of(V2), "activation": current.activation + 1}
        async with transactional(system) as producer:
            await producer.begin_transaction()
            await send(producer, system.topics.versions, "t", current.model_copy(update=changes))
            await producer.abort_transaction()
        async with ToolRegistry(system.settings, Codes()) as registry:
            async with asyncio.timeout(WAIT_S):
                loaded = await registry.load("t")
            assert loaded is not None
            assert loaded.tool == V1
