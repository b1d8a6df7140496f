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
"""How long a program may take for a log."""
ROOT: Final = Path(__file__).parents[2]
PEERS_PYTHON: Final = ROOT / ".venv-peers" / "bin" / "python"
"""Of the environment that ``make peers`` makes."""
_POLL_S = 0.05
_STOP_S = 15.0


@dataclass(frozen=True)
class Program:
    """How a judge of a stage's log is started, its consumer group, and where its commands go."""

    name: str
    arguments: list[str]
    group: str
    commands: str
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    python: Path = Path(sys.executable)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.subprocess.Process]:
        """Its process; ended by SIGTERM, then by SIGKILL. Its output is in ``self.output``."""
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
        return self.folder / "output"


Start = Callable[[Stage, Path], Awaitable[Program]]
"""Makes the program for a stage, and what has to be there before it."""


async def detector(stage: Stage, folder: Path) -> Program:
    """``rollguard worker detector``."""
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
    """``bench.peers.stock_faust``."""
    return await _peer("stock_faust", stage, folder)


async def quix_streams(stage: Stage, folder: Path) -> Program:
    """``bench.peers.quix``, in the environment of the peers."""
    program = await _peer("quix", stage, folder)
    return replace(program, python=PEERS_PYTHON, environment={"PYTHONPATH": str(ROOT)})


def require_peers() -> None:
    """RuntimeError where the environment of the peers is not made."""
    if not PEERS_PYTHON.exists():
        raise RuntimeError(f"{PEERS_PYTHON} is missing: make peers")


async def _peer(module: str, stage: Stage, folder: Path) -> Program:
    group, commands = f"{stage.prefix}{module}", f"{stage.prefix}{module}-commands"
    await stage.create(commands)
    arguments = [f"bench.peers.{module}", "--brokers", stage.brokers, "--topic", stage.topic]
    arguments += ["--commands", commands, "--group", group, "--state-dir", str(folder)]
    return Program(module, arguments, group, commands, folder)


async def usage(start: Start, full: Stage, idle: Stage, folder: Path) -> Usage:
    """Of an execution. What it takes to start, to join the group and to read ``idle``, a log of
    activations alone, is measured too and taken off.
    """
    starting = await passage(await start(idle, folder / "idle"), idle)
    whole = await passage(await start(full, folder / "full"), full)
    return (whole - starting) / (len(full.log.records) - len(idle.log.records))


async def passage(program: Program, stage: Stage) -> Usage:
    """Of a program from its start until its group has committed the whole log.

    Its commands must be those that the log demands; AssertionError that says how they differ.
    RuntimeError with its output where it ends before that, TimeoutError.
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
    """AssertionError where a program's commands are not those that its log demands."""
    expected = stage.log.command_ids
    found = {command.command_id for command in await stage.commands(program.commands)}
    assert found == expected, (
        f"{program.name} decided otherwise: {len(expected - found)} of {len(expected)} commands "
        f"are missing, {len(found - expected)} are too many"
    )


async def _committed(admin: AIOKafkaAdminClient, group: str, stage: Stage) -> int:
    """How many records of the log the group has committed; 0 while there is no such group."""
    try:
        offsets = await admin.list_consumer_group_offsets(group)
    except KafkaError:
        return 0
    places = stage.places(stage.topic)
    return sum(max(offsets[place].offset, 0) for place in places if place in offsets)
