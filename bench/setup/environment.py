"""The environment of a measurement: topics and a database of its own, and the workers on them."""

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final, Self
from uuid import uuid4

import aiohttp
import psutil
from aiokafka import AIOKafkaProducer
from aiokafka.structs import RecordMetadata

from bench.setup.groups import Groups
from rollguard.embedded.ports import free_port
from rollguard.embedded.processes import guarded
from rollguard.operations.setup import create_missing_topics, migrate_database
from schemas.execution import Execution
from schemas.settings import Settings, load_settings
from streams.admin import kafka_admin
from streams.topics import Topics
from tests.support.servers.postgres import PostgresServer
from tests.support.waiting import until

READY_S: Final = 180.0
"""The time that a worker has until it is ready; with a million tools it takes long."""
_STOP_S: Final = 15.0


class Worker:
    """A process of a role, or a console.

    It keeps its name, and so its partitions after a restart.
    """

    def __init__(self, role: str, name: str, settings: Settings, folder: Path) -> None:
        self.role = role
        self.name = name
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.output = folder / f"{name}.log"
        self.environment = {
            "ROLLGUARD_KAFKA_BROKERS": ",".join(settings.kafka_brokers),
            "ROLLGUARD_POSTGRES_DSN": settings.postgres_dsn.get_secret_value(),
            "ROLLGUARD_TOPIC_PREFIX": settings.topic_prefix,
            "ROLLGUARD_WORKER_NAME": name,
            "ROLLGUARD_DATA_DIR": str(folder / name),
            "ROLLGUARD_WEB_PORT": str(port),
            # Else all rows would be written again in the middle of some rounds and not of others.
            "ROLLGUARD_REFRESH_S": "86400",
            "ROLLGUARD_LOG_JSON": "true",
        }
        self._process: asyncio.subprocess.Process

    async def start(self) -> None:
        """Start it; return before it is ready."""
        words = ["console"] if self.role == "console" else ["worker", self.role]
        with self.output.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *guarded([sys.executable, "-m", "rollguard", *words]),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **self.environment},
            )

    async def ready(self) -> None:
        """Return when it is ready; raise RuntimeError with its output if it has ended."""

        async def is_ready() -> bool:
            if not self.runs:
                raise RuntimeError(f"{self.name} ended: {self.output.read_text()}")
            return (await self.page("/readyz"))[0] == 200

        await until(is_ready, READY_S)

    async def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send it the signal and wait for its end; send SIGKILL if that takes too long."""
        if self.runs:
            self._process.send_signal(number)
            try:
                await asyncio.wait_for(self._process.wait(), _STOP_S)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()

    @property
    def runs(self) -> bool:
        """Whether the process is running."""
        return self._process.returncode is None

    @property
    def cpu_s(self) -> float:
        """The CPU time since its start, in user and kernel mode, of all threads."""
        used = psutil.Process(self._process.pid).cpu_times()
        return float(used.user + used.system)

    @property
    def rss_bytes(self) -> int:
        """The resident memory of the process."""
        return int(psutil.Process(self._process.pid).memory_info().rss)

    async def page(self, path: str) -> tuple[int, dict[str, Any]]:
        """Return the status and the body of one of its HTTP pages; status 0 if nobody answers."""
        timeout = aiohttp.ClientTimeout(total=5)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.get(f"{self.url}{path}") as answer,
            ):
                return answer.status, await answer.json()
        except (aiohttp.ClientError, TimeoutError):
            return 0, {}


class Environment:
    """The topics, the database and the workers of one measurement; made by ``made``.

    ``producer`` is for single messages and for batches.
    """

    def __init__(
        self, settings: Settings, folder: Path, producer: AIOKafkaProducer, groups: Groups
    ) -> None:
        self.settings = settings
        self.topics = Topics.of(settings)
        self.folder = folder
        self.producer = producer
        self.groups = groups
        self.workers: list[Worker] = []

    @classmethod
    @asynccontextmanager
    async def made(cls, brokers: str, dsn: str, partitions: int = 4) -> AsyncIterator[Self]:
        """Create topics and a database; afterwards remove both and end all workers."""
        with (
            tempfile.TemporaryDirectory(prefix="rollguard-bench-") as folder,
            _database(dsn) as own,
        ):
            settings = load_settings(
                kafka_brokers=brokers,
                postgres_dsn=own,
                topic_prefix=f"bench-{uuid4().hex[:8]}-",
                partitions=partitions,
                data_dir=Path(folder) / "registry",
            )
            await migrate_database(settings)
            await create_missing_topics(settings)
            producer = AIOKafkaProducer(
                bootstrap_servers=brokers, max_batch_size=500_000, max_request_size=4_000_000
            )
            await producer.start()
            try:
                async with Groups.of(settings) as groups:
                    environment = cls(settings, Path(folder), producer, groups)
                    try:
                        yield environment
                    finally:
                        await asyncio.gather(*(worker.end() for worker in environment.workers))
            finally:
                await producer.stop()
                async with kafka_admin(settings) as admin:
                    await admin.delete_topics(Topics.of(settings).all())

    async def send(self, *executions: Execution) -> list[RecordMetadata]:
        """Send executions; return their record positions when they are acknowledged."""
        topic, sent = self.topics.executions, []
        for each in executions:
            key = each.tool_name.encode()
            sent.append(await self.producer.send(topic, each.to_bytes(), key=key))
        return list(await asyncio.gather(*sent))

    async def start(self, *roles: str, **environment: str) -> list[Worker]:
        """Start one worker of each role at the same time; return when all are ready.

        ``environment`` has more environment variables for them.
        """
        started = []
        for role in roles:
            name = f"{role}-{len(self.workers)}"
            worker = Worker(role, name, self.settings, self.folder)
            worker.environment |= environment
            await worker.start()
            self.workers.append(worker)
            started.append(worker)
        await asyncio.gather(*(worker.ready() for worker in started))
        return started


@contextmanager
def _database(dsn: str) -> Iterator[str]:
    with PostgresServer(dsn, "template1").database() as own:
        yield own
