"""What a chaos run breaks: a broker and a Postgres behind doors, and supervised workers."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import asyncpg
import psutil

from rollguard.embedded.stack import (
    PostgresCommands,
    free_port,
    guarded,
    prepare_postgres,
    wait_for_kafka,
)
from rollguard.operations.setup import create_missing_topics, migrate_database
from schemas.rules import PolicyName
from schemas.settings import Settings, load_settings
from tests.support.kafka import APACHE
from tests.support.proxy import Door, to_port, to_socket

ROLES = ("detector", "applier", "recorder")
SESSION_S = 6
PARTITIONS = 4
PRODUCT = ("-m", "rollguard", "worker")
_START_S = 60.0
_RESTART_S = 0.3
"""How long the supervisor waits before it starts a worker again."""
_REASONS_TO_END = ("stood still", "went away while the worker started")


def start(
    command: Sequence[str], log: Path, user: tuple[int, int] | None = None, **environment: str
) -> subprocess.Popen[bytes]:
    """A process in a session of its own, that ends when this one does."""
    with log.open("ab") as output:
        return subprocess.Popen(
            guarded(command, signal.SIGKILL, user),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env={**os.environ, **environment},
        )


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to its whole session."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class Broker:
    """Apache Kafka behind a door: clients are told the door's address."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port, self._controller = free_port(), free_port()
        self.door = Door(free_port(), to_port(self._port))
        self.address = f"127.0.0.1:{self.door.port}"
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Run it on what it kept; returns when it answers."""
        command = [str(APACHE), str(self._folder / "kafka"), str(self._port), str(self._controller)]
        self._process = start(command, self._folder / "kafka.log", BROKER_ADVERTISED=self.address)
        await wait_for_kafka(f"127.0.0.1:{self._port}", _START_S)

    def kill(self) -> None:
        if self._process is not None:
            kill(self._process)


class Postgres:
    """PostgreSQL behind a door; readers of the run's books use its socket."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._home = folder / "postgres"
        self._commands: PostgresCommands = prepare_postgres(folder, self._home)
        self._process: subprocess.Popen[bytes] | None = None
        self.door = Door(free_port(), to_socket(f"{self._home}/.s.PGSQL.5432"))
        self.dsn = f"postgresql://rollguard@127.0.0.1:{self.door.port}/rollguard"
        self.socket_dsn = f"postgresql://rollguard@/rollguard?host={self._home}&port=5432"

    async def make(self) -> None:
        """An empty database, running."""
        log = self._folder / "postgres.log"
        if start(self._commands.init, log, self._commands.user).wait() != 0:
            raise RuntimeError(f"initdb failed: {log}")
        await self.start("postgres")
        connection = await asyncpg.connect(self.socket_dsn, database="postgres")
        await connection.execute("create database rollguard")
        await connection.close()

    async def start(self, database: str = "rollguard") -> None:
        """Run it on what it kept; returns when it answers."""
        log = self._folder / "postgres.log"
        (self._home / "data" / "postmaster.pid").unlink(missing_ok=True)
        self._process = start(self._commands.serve, log, self._commands.user)
        async with asyncio.timeout(_START_S):
            while True:
                with suppress(OSError, asyncpg.PostgresError):
                    connection = await asyncpg.connect(self.socket_dsn, database=database)
                    await connection.close()
                    return
                await asyncio.sleep(0.05)

    def kill(self) -> None:
        """All of its processes at once, as when the power fails (what was written stays)."""
        if self._process is None:
            return
        children = psutil.Process(self._process.pid).children()  # each in a session of its own
        kill(self._process)
        for child in children:
            with suppress(psutil.NoSuchProcess):
                child.kill()


class Worker:
    """One worker under a name that it keeps; started again whenever it ends by itself."""

    def __init__(self, stack: "Stack", role: str, number: int, step: str = "") -> None:
        self.role, self.number = role, number
        self.name = f"{role}-{number}"
        self.ends: list[int] = []
        """The exit codes so far; negative is a signal."""
        self.expected = False
        """Whether its next end is meant."""
        self._stack = stack
        self._port = free_port()
        self._step = step
        self._wanted = True
        self._process = self._start()
        self._supervisor = asyncio.create_task(self._supervise())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        return self._process.pid

    def send_signal(self, number: signal.Signals) -> None:
        """To the process as it runs now."""
        if self._process.returncode is None:
            if number in (signal.SIGKILL, signal.SIGTERM):
                self.expected = True  # whatever it is sent while it is leaving
            os.kill(self._process.pid, number)

    def arm(self, step: str) -> None:
        """From its next start on it dies or stands still at this step, once."""
        self._step = step

    async def retire(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it, and do not start it again."""
        self._wanted = False
        self.send_signal(signal.SIGCONT)
        self.send_signal(number)
        await self._supervisor

    def _start(self) -> subprocess.Popen[bytes]:
        stack = self._stack
        step, self._step = self._step, ""
        environment = stack.environment(self.name, self._port) | (
            {"ROLLGUARD_TEST_STEP": step} if step else {}
        )
        command = [sys.executable, *stack.worker_program, self.role]
        log = stack.folder / f"{self.name}.log"
        self._log_begin = log.stat().st_size if log.exists() else 0
        return start(command, log, None, **environment)

    def _words(self) -> str:
        """What it has said since it was started."""
        log = (self._stack.folder / f"{self.name}.log").read_bytes()
        return log[self._log_begin :].decode(errors="replace").strip()

    async def _supervise(self) -> None:
        while True:
            while self._process.poll() is None:
                await asyncio.sleep(0.05)
            self.ends.append(self._process.returncode)
            if self._process.returncode not in (0, -signal.SIGKILL) and not self.expected:
                self._stack.note_end(self.name, self._words())
            self.expected = False
            if not self._wanted:
                return
            await asyncio.sleep(_RESTART_S)
            if not self._wanted:
                return
            self._process = self._start()


class Stack:
    """``async with Stack(folder)``: broker, Postgres, schema and topics; workers when asked for.

    ``worker_program`` is what Python runs, in front of the role: the product's own, or one with a
    planted fault.
    """

    def __init__(
        self,
        folder: Path,
        worker_program: Sequence[str] = PRODUCT,
        refresh_s: float = 5.0,
        keep_rows: bool = False,
        policy: PolicyName = "seed",
    ) -> None:
        self.folder = folder
        self.keep_rows = keep_rows
        self.refresh_s = refresh_s
        self.worker_program = tuple(worker_program)
        self.broker, self.postgres = Broker(folder), Postgres(folder)
        self.workers: list[Worker] = []
        self.settings: Settings = load_settings(
            kafka_brokers=self.broker.address,
            postgres_dsn=self.postgres.dsn,
            partitions=PARTITIONS,
            session_timeout_s=SESSION_S,
            policy=policy,
        )
        self.unasked_ends: list[tuple[str, str]] = []
        """Workers that ended though nobody told them to, with their last words."""

    async def __aenter__(self) -> Self:
        try:
            await asyncio.gather(self.broker.start(), self.postgres.make())
            await self.broker.door.open()
            await self.postgres.door.open()
            await migrate_database(self.settings)
            await create_missing_topics(self.settings)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(each.retire(signal.SIGKILL) for each in self.workers))
        self.broker.kill()
        self.postgres.kill()
        await self.broker.door.close()
        await self.postgres.door.close()

    def say(self, text: str) -> None:
        """A line for whoever reads the run."""

    def note_end(self, worker: str, words: str) -> None:
        """A worker ended by itself: for one of two reasons, or that is a violation."""
        reasons = [reason for reason in _REASONS_TO_END if reason in words]
        last = words.rpartition("\n")[2]
        self.say(f"{worker} ended by itself: {reasons[0] if reasons else last}")
        if not reasons:
            self.unasked_ends.append((worker, last))

    def environment(self, name: str, port: int) -> dict[str, str]:
        """What a worker needs to find this stack."""
        return {
            "ROLLGUARD_KAFKA_BROKERS": self.broker.address,
            "ROLLGUARD_POSTGRES_DSN": self.postgres.dsn,
            "ROLLGUARD_SESSION_TIMEOUT_S": str(SESSION_S),
            "ROLLGUARD_WORKER_NAME": name,
            "ROLLGUARD_DATA_DIR": str(self.folder / name),
            "ROLLGUARD_WEB_PORT": str(port),
            "ROLLGUARD_REFRESH_S": str(self.refresh_s),
            "ROLLGUARD_KEEP_ROWS": str(self.keep_rows).lower(),
            "ROLLGUARD_LOG_JSON": "true",
            "ROLLGUARD_POLICY": self.settings.rules.policy,
        }

    def add(self, role: str, step: str = "") -> Worker:
        """One more worker of the role, under the first name that is free; armed, if with a step."""
        taken = {each.number for each in self.of(role)}
        number = next(number for number in range(1, PARTITIONS + 1) if number not in taken)
        worker = Worker(self, role, number, step)
        self.workers.append(worker)
        return worker

    async def drop(self, worker: Worker, number: signal.Signals = signal.SIGTERM) -> None:
        """End a worker for good."""
        self.workers.remove(worker)
        await worker.retire(number)

    def of(self, role: str) -> list[Worker]:
        return [each for each in self.workers if each.role == role]

    def one(self, role: str) -> Worker:
        """The worker of the role that was there first."""
        return self.of(role)[0]
