"""The embedded stack: what it gives, and that it leaves nothing behind, however it ends."""

import asyncio
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest
from aiokafka import AIOKafkaProducer

from rollguard.embedded.broker import wait_for_kafka
from rollguard.embedded.ports import free_port
from rollguard.embedded.stack import EmbeddedStack
from schemas.errors import Misconfigured

_PROGRAM = """
import asyncio, signal
from rollguard.embedded.stack import EmbeddedStack
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job starts without it
async def main():
    async with EmbeddedStack():
        print("up", flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def folders(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the stacks of this test make their folders; short, for the path of a socket."""
    with tempfile.TemporaryDirectory(prefix="stacks-") as name:
        Path(name).chmod(0o711)  # below root, Postgres runs as nobody, who has to pass
        monkeypatch.setenv("TMPDIR", name)
        monkeypatch.setattr(tempfile, "tempdir", name)
        yield Path(name)


def processes_of(folders: Path) -> list[str]:
    """Every process that works in a folder of this test."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd().startswith(str(folders)):
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


async def until(condition: Callable[[], bool], timeout_s: float = 120) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.02)


async def until_nothing_is_left(folders: Path) -> None:
    await until(lambda: not list(folders.iterdir()) and not processes_of(folders))


async def test_both_answer_and_all_is_gone_afterwards(folders: Path) -> None:
    async with EmbeddedStack() as stack:
        producer = AIOKafkaProducer(bootstrap_servers=stack.kafka_brokers)
        await producer.start()
        await producer.stop()
        connection = await asyncpg.connect(stack.postgres_dsn)
        assert await connection.fetchval("SELECT current_database()") == "rollguard"
        await connection.close()
        assert processes_of(folders)
    assert not list(folders.iterdir())
    assert not processes_of(folders)


async def test_the_variables_of_other_servers_and_a_long_path_do_not_matter(
    monkeypatch: pytest.MonkeyPatch, folders: Path
) -> None:
    long = folders / ("long-" * 20)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    for name, value in {
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": "/no/such/file",
        "PGTARGETSESSIONATTRS": "read-only",
        "PGHOST": "127.0.0.1",
        "PGOPTIONS": "--no-such-option",
        "ROLLGUARD_NO_SUCH_SETTING": "1",
    }.items():
        monkeypatch.setenv(name, value)
    async with EmbeddedStack() as stack:
        connection = await asyncpg.connect(stack.postgres_dsn)
        assert await connection.fetchval("SELECT current_user") == "rollguard"
        await connection.close()
        worker = await stack.spawn_worker("no-such-role")
        assert await worker.wait() == 2
        folder = stack.folder
    assert not folder.exists()
    assert list(folders.iterdir()) == [long]


async def test_an_exception_inside_takes_everything_down(folders: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        async with EmbeddedStack():
            raise ZeroDivisionError
    assert not list(folders.iterdir())


async def test_a_worker_is_given_the_addresses_and_stopped(folders: Path) -> None:
    async with EmbeddedStack() as stack:
        worker = await stack.spawn_worker("no-such-role", {"ROLLGUARD_LOG_LEVEL": "debug"})
        assert await worker.wait() == 2  # wrong usage: it is our command line that ran
        assert "no-such-role" in stack.log_path("no-such-role").read_text()
        assert stack.environment()["ROLLGUARD_POSTGRES_DSN"] == stack.postgres_dsn


async def test_a_missing_package_is_said(monkeypatch: pytest.MonkeyPatch, folders: Path) -> None:
    monkeypatch.setattr("rollguard.embedded.packages.find_spec", lambda name: None)
    with pytest.raises(Misconfigured, match="rollguard\\[embedded\\]"):
        async with EmbeddedStack():
            pass
    assert not list(folders.iterdir())


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("log", ["", "broker.log", "postgres.log", "up"])
async def test_nothing_is_left_when_interrupted(sent: int, log: str, folders: Path) -> None:
    """Interrupted as soon as the folder, the broker, Postgres, and all of it are there."""
    with subprocess.Popen([sys.executable, "-c", _PROGRAM], stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        if log == "up":
            await asyncio.to_thread(program.stdout.readline)
        else:
            await until(lambda: any(folders.glob(f"rollguard-*/{log}")))
            # the very moment of mkdtemp is the one that nothing can guard against kill -9
            await until(lambda: bool(processes_of(folders)) or not log)
        await until(lambda: bool(psutil.Process(program.pid).children()))
        program.send_signal(sent)
    await until_nothing_is_left(folders)


async def test_waiting_for_a_broker_that_is_not_there_ends() -> None:
    with pytest.raises(TimeoutError):
        await wait_for_kafka(f"127.0.0.1:{free_port()}", 0.1)


async def test_each_kind_of_broker_answers(kafka: str) -> None:
    await wait_for_kafka(kafka, 120)
