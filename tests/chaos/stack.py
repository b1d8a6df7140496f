"""The stack of a chaos run: a broker and a Postgres, each with a proxy, and the workers."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal, Self

import asyncpg
import psutil

from rollguard.embedded.broker import wait_for_kafka
from rollguard.embedded.ports import free_port
from rollguard.embedded.postgres import PostgresCommands, prepare_postgres
from rollguard.embedded.processes import guarded
from rollguard.operations.setup import create_missing_topics, migrate_database
from schemas.rules.rules import PolicyName
from schemas.settings import Settings, load_settings
from tests.chaos.attack.keys import KEY_OF_ROLE, write_keys
from tests.support.servers.kafka import APACHE
from tests.support.servers.proxy import Proxy, to_port, to_socket
from tests.support.systems.armed_worker import VARIABLE

Mode = Literal["off", "require"]
"""Whether signatures are required."""
ROLES = ("detector", "applier", "recorder")
ENVIRONMENT_ERRORS = "TimeoutError"
"""Failures of this class are the environment's, if the producer says nothing else."""
ENFORCED = "slower"
"""Versions that are slower are rolled back; those that cost more are dry runs."""
GATE: Literal["hold"] = "hold"
"""What a failed check speaks against waits for a person."""
SESSION_S = 6
PARTITIONS = 4
PRODUCT = ("-m", "tests.support.systems.armed_worker", "worker")
_START_S = 180.0
_RESTART_S = 0.3
"""The supervisor waits this long before it starts a worker again."""
_EXPECTED_REASONS = ("stood still", "went away while the worker started")


def start(
    command: Sequence[str], log: Path, user: tuple[int, int] | None = None, **environment: str
) -> subprocess.Popen[bytes]:
    """Start a process in its own session. It is killed when this process ends."""
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
    """Send SIGKILL to the whole session of the process."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class Broker:
    """Apache Kafka, which gives its clients the address of a proxy."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port, self._controller = free_port(), free_port()
        self.proxy = Proxy(free_port(), to_port(self._port))
        self.address = f"127.0.0.1:{self.proxy.port}"
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start it on the data that it has; return when it answers."""
        command = [str(APACHE), str(self._folder / "kafka"), str(self._port), str(self._controller)]
        self._process = start(command, self._folder / "kafka.log", BROKER_ADVERTISED=self.address)
        await wait_for_kafka(f"127.0.0.1:{self._port}", _START_S)

    def kill(self) -> None:
        if self._process is not None:
            kill(self._process)


class Postgres:
    """PostgreSQL with a proxy for the workers; the audit uses its socket."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._home = folder / "postgres"
        self._commands: PostgresCommands = prepare_postgres(folder, self._home)
        self._process: subprocess.Popen[bytes] | None = None
        self.proxy = Proxy(free_port(), to_socket(f"{self._home}/.s.PGSQL.5432"))
        self.dsn = f"postgresql://rollguard@127.0.0.1:{self.proxy.port}/rollguard"
        self.socket_dsn = f"postgresql://rollguard@/rollguard?host={self._home}&port=5432"

    async def make(self) -> None:
        """Make an empty database and start the server."""
        log = self._folder / "postgres.log"
        if start(self._commands.init, log, self._commands.user).wait() != 0:
            raise RuntimeError(f"initdb failed: {log}")
        await self.start("postgres")
        connection = await asyncpg.connect(self.socket_dsn, database="postgres")
        await connection.execute("create database rollguard")
        await connection.close()

    async def start(self, database: str = "rollguard") -> None:
        """Start it on the data that it has; return when it answers."""
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
        """Kill all its processes at once. Its files keep what was written."""
        if self._process is None:
            return
        children = psutil.Process(self._process.pid).children()  # each in a session of its own
        kill(self._process)
        for child in children:
            with suppress(psutil.NoSuchProcess):
                child.kill()


class Worker:
    """One worker, which keeps its name and is started again whenever it ends."""

    def __init__(self, stack: "Stack", role: str, number: int, crash_point: str = "") -> None:
        self.role, self.number = role, number
        self.name = f"{role}-{number}"
        self.ends: list[int] = []
        """The exit codes so far; a negative one is a signal."""
        self.end_is_intended = False
        """Whether its next end is caused by this process."""
        self._stack = stack
        self._port = free_port()
        self._crash_point = crash_point
        self._restarts = True
        self._process = self._start()
        self._supervisor = asyncio.create_task(self._supervise())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        return self._process.pid

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the process that runs now."""
        if self._process.returncode is None:
            if number in (signal.SIGKILL, signal.SIGTERM):
                self.end_is_intended = True
            os.kill(self._process.pid, number)

    def arm(self, crash_point: str) -> None:
        """Let it die or stop at this crash point once, after its next start."""
        self._crash_point = crash_point

    async def retire(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it and do not start it again."""
        self._restarts = False
        self.send_signal(signal.SIGCONT)
        self.send_signal(number)
        await self._supervisor

    def _start(self) -> subprocess.Popen[bytes]:
        stack = self._stack
        crash_point, self._crash_point = self._crash_point, ""
        environment = stack.environment(self.role, self.name, self._port) | (
            {VARIABLE: crash_point} if crash_point else {}
        )
        command = [sys.executable, *stack.worker_program, self.role]
        log = stack.folder / f"{self.name}.log"
        self._log_begin = log.stat().st_size if log.exists() else 0
        return start(command, log, None, **environment)

    def _output(self) -> str:
        """Return the output since its last start."""
        log = (self._stack.folder / f"{self.name}.log").read_bytes()
        return log[self._log_begin :].decode(errors="replace").strip()

    async def _supervise(self) -> None:
        while True:
            while self._process.poll() is None:
                await asyncio.sleep(0.05)
            self.ends.append(self._process.returncode)
            if self._process.returncode not in (0, -signal.SIGKILL) and not self.end_is_intended:
                self._stack.note_end(self.name, self._output())
            self.end_is_intended = False
            if not self._restarts:
                return
            await asyncio.sleep(_RESTART_S)
            if not self._restarts:
                return
            self._process = self._start()


class Stack:
    """The broker, Postgres, schema, topics and workers; use it with ``async with``.

    Workers are added by ``add``. ``worker_program`` holds the arguments for Python that come
    before the role: the product's own, or those of a worker with a planted bug.
    """

    def __init__(
        self,
        folder: Path,
        worker_program: Sequence[str] = PRODUCT,
        refresh_s: float = 5.0,
        keep_rows: bool = False,
        policy: PolicyName = "seed",
        signatures: Mode = "off",
    ) -> None:
        self.folder = folder
        write_keys(folder)
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
            environment_errors=ENVIRONMENT_ERRORS,
            enforce=ENFORCED,
            gate=GATE,
            signatures=signatures,
            trust=folder / "trust.json",
            data_dir=folder / "engines",
        )
        self.unexpected_ends: list[tuple[str, str]] = []
        """Workers that ended by themselves without an expected reason, with their last line."""

    async def __aenter__(self) -> Self:
        try:
            await asyncio.gather(self.broker.start(), self.postgres.make())
            await self.broker.proxy.open()
            await self.postgres.proxy.open()
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
        await self.broker.proxy.close()
        await self.postgres.proxy.close()

    def say(self, text: str) -> None:
        """Report an event of the run. A run replaces this method."""

    def note_end(self, worker: str, output: str) -> None:
        """Report that a worker ended by itself; store it if the reason is not an expected one."""
        reasons = [reason for reason in _EXPECTED_REASONS if reason in output]
        last = output.rpartition("\n")[2]
        self.say(f"{worker} ended by itself: {reasons[0] if reasons else last}")
        if not reasons:
            self.unexpected_ends.append((worker, last))

    def environment(self, role: str, name: str, port: int) -> dict[str, str]:
        """Return the environment variables of a worker of this stack."""
        key = KEY_OF_ROLE[role]
        signs = {} if key is None else {"ROLLGUARD_SIGNING_KEY": str(self.folder / f"{key}.pem")}
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
            "ROLLGUARD_ENVIRONMENT_ERRORS": ENVIRONMENT_ERRORS,
            "ROLLGUARD_ENFORCE": ENFORCED,
            "ROLLGUARD_GATE": GATE,
            "ROLLGUARD_FLEET_BUDGET": "200",  # most rollbacks are carried out, some are held
            "ROLLGUARD_SIGNATURES": self.settings.signatures,
            "ROLLGUARD_TRUST": str(self.settings.trust),
            **signs,
        }

    def add(self, role: str, crash_point: str = "") -> Worker:
        """Start one more worker of the role, with the first name that is free."""
        taken = {each.number for each in self.of(role)}
        number = next(number for number in range(1, PARTITIONS + 1) if number not in taken)
        worker = Worker(self, role, number, crash_point)
        self.workers.append(worker)
        return worker

    async def drop(self, worker: Worker, number: signal.Signals = signal.SIGTERM) -> None:
        """End a worker and do not start it again."""
        self.workers.remove(worker)
        await worker.retire(number)

    def of(self, role: str) -> list[Worker]:
        return [each for each in self.workers if each.role == role]

    def one(self, role: str) -> Worker:
        """Return the oldest worker of the role."""
        return self.of(role)[0]
