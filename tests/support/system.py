"""Real workers with a real broker and a real Postgres, and functions to use them in tests."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import aiohttp
import asyncpg
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.structs import ConsumerRecord

from rollguard.embedded.ports import free_port
from rollguard.operations.setup import create_missing_topics, migrate_database
from schemas.deployment import Deployment, DeploymentOutcome
from schemas.execution import ActivatedBy, Activation, Execution
from schemas.message import MAX_REQUEST_BYTES, Message
from schemas.settings import Settings, load_settings
from streams.topics import Topics
from tests.support.programs.program import Program

WAIT_S = 30.0


def execution(tool: str, error: str | None = None, **fields: Any) -> Execution:
    """Return an execution at the present time; it is a success if ``error`` is None."""
    values: dict[str, Any] = {
        "execution_id": uuid4(),
        "tool_name": tool,
        "success": error is None,
        "error": error,
        "executed_at": datetime.now(UTC),
    }
    return Execution(**(values | fields))


def deployment(tool: str, code: str, **fields: Any) -> Deployment:
    """Return a person's deployment at the present time."""
    values: dict[str, Any] = {
        "deployment_id": uuid4(),
        "tool_name": tool,
        "code": code,
        "created_by": "human",
        "improvement_type": "initial",
        "deployed_at": datetime.now(UTC),
    }
    return Deployment(**(values | fields))


def activation(tool: str, version_id: int, number: int, **fields: Any) -> Activation:
    """Return the activation ``number`` of a tool: a deployment makes this version current."""
    values: dict[str, Any] = {
        "tool_name": tool,
        "version_id": version_id,
        "version_number": version_id,
        "code_hash": "0" * 64,
        "activation": number,
        "activated_at": datetime.now(UTC),
        "activated_by": ActivatedBy(kind="deployment", id=uuid4()),
    }
    return Activation(**(values | fields))


class System:
    """The topics and the schema of one test, and the workers that it starts."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.topics = Topics.of(settings)
        self.folder = folder
        self.workers: list[Program] = []
        self.ports = {"applier": free_port(), "recorder": free_port()}
        """The HTTP port of each role's first worker."""
        if settings.web_port is not None:
            self.ports["detector"] = settings.web_port
        self.producer = AIOKafkaProducer(
            bootstrap_servers=list(settings.kafka_brokers), max_request_size=MAX_REQUEST_BYTES
        )

    @classmethod
    @asynccontextmanager
    async def started(
        cls,
        brokers: str,
        dsn: str,
        prefix: str,
        folder: Path,
        roles: Sequence[str],
        fetch_wait_ms: int = 20,
        **more: str,
    ) -> AsyncIterator[Self]:
        """Create topics and schema, and run ``roles``; ``more`` is added to their environment."""
        port = free_port()
        settings = load_settings(
            kafka_brokers=brokers,
            postgres_dsn=dsn,
            topic_prefix=prefix,
            session_timeout_s=6,
            fetch_wait_ms=fetch_wait_ms,
            web_port=port,
            detector_url=f"http://127.0.0.1:{port}",
            data_dir=folder,
        )
        await migrate_database(settings)
        await create_missing_topics(settings)
        system = cls(settings, folder)
        await system.producer.start()
        try:
            for role in roles:
                await system.spawn(role, **more)
            if "detector" in roles:
                await system.detector_ready()
            yield system
        finally:
            await system.stop_all()
            await system.producer.stop()

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment variables for a worker or for the command line."""
        settings = self.settings
        return {
            **os.environ,
            "ROLLGUARD_KAFKA_BROKERS": ",".join(settings.kafka_brokers),
            "ROLLGUARD_POSTGRES_DSN": settings.postgres_dsn.get_secret_value(),
            "ROLLGUARD_TOPIC_PREFIX": settings.topic_prefix,
            "ROLLGUARD_SESSION_TIMEOUT_S": str(settings.session_timeout_s),
            "ROLLGUARD_FETCH_WAIT_MS": str(settings.fetch_wait_ms),
            "ROLLGUARD_WEB_PORT": str(settings.web_port),
            "ROLLGUARD_DETECTOR_URL": settings.detector_url,
            "ROLLGUARD_DATA_DIR": str(self.folder),
            "ROLLGUARD_LOG_JSON": "true",
            **more,
        }

    async def spawn(
        self, role: str, module: str = "rollguard", **more: str
    ) -> Program:
        """Start one worker; its output goes to ``ROLE.log``. ``module`` is run as a program."""
        more = {"ROLLGUARD_WEB_PORT": str(self.ports[role]), **more}
        with (self.folder / f"{role}.log").open("ab") as log:
            worker = await Program.start(
                module, "worker", role, stdout=log, stderr=log, env=self.environment(**more)
            )
        self.workers.append(worker)
        return worker

    def log(self, role: str) -> str:
        return (self.folder / f"{role}.log").read_text()

    async def stop_all(self) -> list[int]:
        """Send SIGTERM to all workers, and return their exit codes."""
        for worker in self.workers:
            if worker.returncode is None:
                worker.terminate()
        codes = [await asyncio.wait_for(worker.wait(), 15) for worker in self.workers]
        self.workers.clear()
        return codes

    async def detector_ready(self) -> None:
        """Return when the detector answers health queries."""

        async def answers() -> bool:
            return (await self.health("none"))[0] == 404

        await until(answers)

    async def is_ready(self, role: str) -> bool:
        """Return whether ``/readyz`` of a role's worker answers 200."""
        return (await self.page(role, "/readyz"))[0] == 200

    async def all_ready(self, *roles: str) -> None:
        """Require that the roles' workers become ready; without ``roles``, all three."""
        for role in roles or ("detector", "applier", "recorder"):

            async def ready(role: str = role) -> bool:
                return await self.is_ready(role)

            with suppress(TimeoutError):
                await until(ready)
            assert await self.is_ready(role), (role, await self.page(role, "/readyz"))

    async def page(self, role: str, path: str, **headers: str) -> tuple[int, dict[str, Any]]:
        """Return status and body of an endpoint of a role's worker; status 0 if nobody answers."""
        url = f"http://127.0.0.1:{self.ports[role]}{path}"
        timeout = aiohttp.ClientTimeout(total=5)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.get(url, headers=headers) as answer,
            ):
                return answer.status, await answer.json()
        except (aiohttp.ClientError, TimeoutError):
            return 0, {}

    async def metrics(self, role: str) -> str:
        """Return the metrics of a role's worker, in Prometheus' text format."""
        url = f"http://127.0.0.1:{self.ports[role]}/metrics"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            assert answer.status == 200
            return await answer.text()

    async def health(self, tool: str) -> tuple[int, dict[str, Any]]:
        """Return status and body of a health query; status 0 if nobody answers."""
        url = f"{self.settings.detector_url}/tools/{tool}/health"
        try:
            async with aiohttp.ClientSession() as session, session.get(url) as answer:
                return answer.status, await answer.json()
        except aiohttp.ClientError:
            return 0, {}

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

    async def records(self, topic: str, count: int) -> list[ConsumerRecord]:
        """Return the first ``count`` records of the topic; wait for them."""
        found: list[ConsumerRecord] = []
        async with self.reader(topic) as consumer, asyncio.timeout(WAIT_S):
            async for record in consumer:
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
        connection = await asyncpg.connect(self.settings.postgres_dsn.get_secret_value())
        try:
            return list(await connection.fetch(sql, *args))
        finally:
            await connection.close()

    async def executions_recorded(self, tool: str, count: int) -> None:
        """Return when the recorder has ``count`` executions of the tool."""

        async def recorded() -> bool:
            sql = "SELECT count(*) FROM tool_executions WHERE tool_name = $1"
            return bool((await self.query(sql, tool))[0][0] >= count)

        await until(recorded)


async def until(holds: Callable[[], Any], timeout_s: float = WAIT_S) -> None:
    """Return when the condition holds; raise TimeoutError if it does not hold in time."""
    async with asyncio.timeout(timeout_s):
        while not await holds():
            await asyncio.sleep(0.05)


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
