"""The processes that judge a log: the product's detector and its peers in other frameworks."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import psutil
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from bench.setup.stage import Stage
from bench.setup.usage import Usage
from rollguard.embedded.ports import free_port
from rollguard.embedded.processes import guarded
from streams.admin import kafka_admin
from streams.topics import Topics, group_of

LIMIT_S = 600.0
"""The time that a program has for a log."""
ROOT: Final = Path(__file__).parents[2]
PEERS_PYTHON: Final = ROOT / ".venv-peers" / "bin" / "python"
"""The Python of the environment that ``make peers`` makes."""
_POLL_S = 0.05
_STOP_S = 15.0


@dataclass(frozen=True)
class Program:
    """A program that judges the log of a stage, with its group and its topic of commands."""

    name: str
    arguments: list[str]
    group: str
    commands: str
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    python: Path = Path(sys.executable)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.subprocess.Process]:
        """Run it, then terminate it, or kill it if it does not end."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.output.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *guarded([str(self.python), "-m", *self.arguments]),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **self.environment},
            )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.terminate()
                try:
                    await asyncio.wait_for(process.wait(), _STOP_S)
                except TimeoutError:
                    process.kill()
                    await process.wait()

    @property
    def output(self) -> Path:
        """The file with what the program wrote."""
        return self.folder / "output"


Start = Callable[[Stage, Path], Awaitable[Program]]
"""Returns the program for a stage, after creating what it needs."""


async def detector(stage: Stage, folder: Path) -> Program:
    """Return ``rollguard worker detector``."""
    settings = stage.settings
    environment = {
        "ROLLGUARD_KAFKA_BROKERS": stage.brokers,
        "ROLLGUARD_TOPIC_PREFIX": settings.topic_prefix,
        "ROLLGUARD_DATA_DIR": str(folder),
        "ROLLGUARD_WEB_PORT": str(free_port()),
    }
    arguments = ["rollguard", "worker", "detector"]
    group, commands = group_of(settings, "detector"), Topics.of(settings).commands
    return Program("detector", arguments, group, commands, folder, environment)


async def stock_faust(stage: Stage, folder: Path) -> Program:
    """Return ``bench.peers.stock_faust``."""
    return await _peer("stock_faust", stage, folder)


async def quix_streams(stage: Stage, folder: Path) -> Program:
    """Return ``bench.peers.quix``, in the environment of the peers."""
    program = await _peer("quix", stage, folder)
    return replace(program, python=PEERS_PYTHON, environment={"PYTHONPATH": str(ROOT)})


def require_peers() -> None:
    """Raise RuntimeError if the environment of the peers was not made."""
    if not PEERS_PYTHON.exists():
        raise RuntimeError(f"{PEERS_PYTHON} is missing: make peers")


async def _peer(module: str, stage: Stage, folder: Path) -> Program:
    group, commands = f"{stage.prefix}{module}", f"{stage.prefix}{module}-commands"
    await stage.create(commands)
    arguments = [f"bench.peers.{module}", "--brokers", stage.brokers, "--topic", stage.topic]
    arguments += ["--commands", commands, "--group", group, "--state-dir", str(folder)]
    return Program(module, arguments, group, commands, folder)


async def usage(start: Start, full: Stage, idle: Stage, folder: Path) -> Usage:
    """Return the usage for one execution.

    The usage to start, to join the group and to read ``idle``, a log of activations alone, is
    measured too and subtracted.
    """
    starting = await passage(await start(idle, folder / "idle"), idle)
    whole = await passage(await start(full, folder / "full"), full)
    return (whole - starting) / (len(full.log.records) - len(idle.log.records))


async def passage(program: Program, stage: Stage) -> Usage:
    """Return the usage of a program from its start until its group has committed the whole log.

    Raise AssertionError if its commands are not those that the log demands, RuntimeError with its
    output if it ends too early, and TimeoutError if it takes too long.
    """
    start_s = time.perf_counter()
    async with program.running() as process, kafka_admin(stage.settings) as admin:
        running = psutil.Process(process.pid)
        async with asyncio.timeout(LIMIT_S):
            while await _committed(admin, program.group, stage) < len(stage.log.records):
                if process.returncode is not None:
                    raise RuntimeError(f"{program.name} ended: {program.output.read_text()}")
                await asyncio.sleep(_POLL_S)
        used, end_s = running.cpu_times(), time.perf_counter()
    await require_commands(program, stage)
    return Usage.of_seconds(used.user + used.system, end_s - start_s)


async def require_commands(program: Program, stage: Stage) -> None:
    """Raise AssertionError if the commands of a program are not those that its log demands."""
    expected = stage.log.command_ids
    found = {command.command_id for command in await stage.commands(program.commands)}
    assert found == expected, (
        f"{program.name} decided otherwise: {len(expected - found)} of {len(expected)} commands "
        f"are missing, {len(found - expected)} are too many"
    )


async def _committed(admin: AIOKafkaAdminClient, group: str, stage: Stage) -> int:
    """Return the number of records that the group has committed; 0 while there is no such group."""
    try:
        offsets = await admin.list_consumer_group_offsets(group)
    except KafkaError:
        return 0
    partitions = stage.partitions_of(stage.topic)
    return sum(max(offsets[each].offset, 0) for each in partitions if each in offsets)
