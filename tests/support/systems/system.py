"""Real workers with a real broker and a real Postgres, and functions to use them in tests."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import asyncpg
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.structs import ConsumerRecord

from schemas.deployment import Deployment, DeploymentOutcome
from schemas.execution import Execution
from schemas.message import MAX_REQUEST_BYTES, Message
from schemas.settings import Settings
from streams.topics import Topics
from tests.support.inputs.messages import deployment
from tests.support.systems.idle_stack import FETCH_WAIT_MS
from tests.support.systems.workers import Workers
from tests.support.waiting import WAIT_S, until


class System(Workers):
    """Workers, and the clients of one test: a producer, readers of topics, queries."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        super().__init__(settings, folder)
        self.topics = Topics.of(settings)
        self.producer = AIOKafkaProducer(
            bootstrap_servers=list(settings.kafka_brokers), max_request_size=MAX_REQUEST_BYTES
        )
        self._is_connected = False
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._one_query = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def started(
        cls,
        brokers: str,
        dsn: str,
        prefix: str,
        folder: Path,
        roles: Sequence[str],
        fetch_wait_ms: int = FETCH_WAIT_MS,
        **more: str,
    ) -> AsyncIterator[Self]:
        """Create topics and schema, and run ``roles``; ``more`` is added to their environment."""
        system = await cls.prepared(brokers, dsn, prefix, folder, fetch_wait_ms)
        async with system.connected(), system.run_roles(roles, **more):
            yield system

    @classmethod
    @asynccontextmanager
    async def of(cls, workers: Workers) -> AsyncIterator[Self]:
        """Yield clients of workers that other tests use too."""
        system = cls(workers.settings, workers.folder)
        system.ports = workers.ports
        async with system.connected():
            yield system

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """Run the producer, and keep a connection to Postgres."""
        await self.producer.start()
        self._is_connected = True
        try:
            yield
        finally:
            self._is_connected = False
            await self._close_connection()
            await self.producer.stop()

    async def send(
        self, topic: str, tool: str, *values: Message | bytes, partition: int | None = None
    ) -> None:
        """Publish the values in order, with the tool as their key; return when acknowledged."""
        sent = [
            await self.producer.send(
                topic,
                value if isinstance(value, bytes) else value.to_bytes(),
                key=tool.encode(),
                partition=partition,
            )
            for value in values
        ]
        await asyncio.gather(*sent)

    async def run(self, *executions: Execution) -> None:
        """Publish executions, each with its tool's key."""
        for each in executions:
            await self.send(self.topics.executions, each.tool_name, each)

    async def deploy(self, tool: str, code: str, **fields: Any) -> DeploymentOutcome:
        """Deploy and wait for the outcome."""
        request = deployment(tool, code, **fields)
        await self.send(self.topics.deployments, tool, request)
        return await self.outcome_of(request)

    async def outcome_of(self, request: Deployment) -> DeploymentOutcome:
        """Return the outcome of a deployment; wait for it."""
        record = await self.first(
            self.topics.deployment_outcomes,
            lambda value: (
                DeploymentOutcome.from_bytes(value).deployment_id == request.deployment_id
            ),
        )
        return DeploymentOutcome.from_bytes(record.value)

    async def first(self, topic: str, matches: Callable[[bytes], bool]) -> ConsumerRecord:
        """Return the first record of the topic whose value matches; wait for it."""
        async with self.reader(topic) as consumer, asyncio.timeout(WAIT_S):
            async for record in consumer:
                if matches(record.value):
                    return record
        raise AssertionError("unreachable")

    async def records(
        self, topic: str, count: int, tool: str | None = None
    ) -> list[ConsumerRecord]:
        """Return the first ``count`` records of the topic, or of a tool in it; wait for them."""
        found: list[ConsumerRecord] = []
        async with self.reader(topic) as consumer, asyncio.timeout(WAIT_S):
            async for record in consumer:
                if tool is None or record.key == tool.encode():
                    found.append(record)
                if len(found) == count:
                    break
        return found

    @asynccontextmanager
    async def reader(self, topic: str) -> AsyncIterator[AIOKafkaConsumer]:
        """Yield a consumer of the whole topic from its beginning, without a group."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=list(self.settings.kafka_brokers),
            enable_auto_commit=False,
            fetch_max_wait_ms=self.settings.fetch_wait_ms,
            max_partition_fetch_bytes=MAX_REQUEST_BYTES,
        )
        await consumer.start()
        try:
            partitions = range(self.settings.partitions)
            consumer.assign([TopicPartition(topic, partition) for partition in partitions])
            await consumer.seek_to_beginning()
            yield consumer
        finally:
            await consumer.stop()

    async def query(self, sql: str, *args: object) -> list[asyncpg.Record]:
        """Return the rows of a query, on a connection that is kept for the next one."""
        async with self._one_query:
            if self._connection is None or self._connection.is_closed():
                dsn = self.settings.postgres_dsn.get_secret_value()
                # a pooler may be before it
                self._connection = await asyncpg.connect(dsn, statement_cache_size=0)
            try:
                return list(await self._connection.fetch(sql, *args))
            finally:
                if not self._is_connected:
                    await self._close_connection()

    async def _close_connection(self) -> None:
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def executions_recorded(self, tool: str, count: int) -> None:
        """Return when the recorder has ``count`` executions of the tool."""

        async def recorded() -> bool:
            sql = "SELECT count(*) FROM tool_executions WHERE tool_name = $1"
            return bool((await self.query(sql, tool))[0][0] >= count)

        await until(recorded)

    async def activation_judged(self, tool: str, activation: int) -> None:
        """Return when the detector judges this activation of the tool, or a later one."""

        async def judged() -> bool:
            return bool((await self.health(tool))[1].get("activation", 0) >= activation)

        await until(judged)

    async def condemned(self, tool: str) -> None:
        """Return when the detector says that the tool must be rolled back.

        It sends the command before it says so.
        """

        async def says_so() -> bool:
            return bool((await self.health(tool))[1].get("needs_rollback"))

        await until(says_so)


@pytest_asyncio.fixture
async def system(
    kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> AsyncIterator[System]:
    """Run the three roles with new topics and a new database, until the test ends."""
    roles = ("detector", "applier", "recorder")
    async with System.started(kafka, database_dsn, topic_prefix, tmp_path, roles) as running:
        yield running


@pytest_asyncio.fixture
async def detector(
    kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> AsyncIterator[System]:
    """Run only a detector, because it must not need any other role."""
    async with System.started(
        kafka, database_dsn, topic_prefix, tmp_path, ("detector",)
    ) as running:
        yield running
