"""The cost of `rollguard-client` for an engine: its import, and what a decorator adds to a call."""

import asyncio
import json
import statistics
import sys
from functools import partial
from pathlib import Path
from typing import Final

import typer

from bench.results import Result, show
from bench.setup.environment import Environment
from bench.setup.servers import with_servers

PART: Final = "client"
_ROOT: Final = Path(__file__).parents[2]
_NOWHERE: Final = "127.0.0.1:1"
_IMPORT: Final = """
import time
began = time.perf_counter()
from rollguard_client import Rollguard
print(1000 * (time.perf_counter() - began))
"""


async def client(brokers: str, dsn: str, rounds: int = 3, count: int = 300_000) -> list[Result]:
    """Call a tool that does nothing 300,000 times, bare and decorated, in a process of its own.

    The CPU is that of the process, and so that of the thread that publishes, too: `call` until the
    last call has returned, `sent` until Kafka has acknowledged all. Without Kafka the calls stay in
    the buffer; their memory is that of all of them.

    The import is that of `Rollguard` in a new process: the median of 9.
    """
    found: dict[str, list[dict[str, float]]] = {"Kafka": [], "no Kafka": []}
    imports_ms = tuple([await _imported_ms() for _ in range(rounds)])
    async with Environment.made(brokers, dsn) as environment:
        prefix = environment.settings.topic_prefix
        for _ in range(rounds):
            found["Kafka"].append(await _measured(brokers, prefix, count))
            found["no Kafka"].append(await _measured(_NOWHERE, "", count))
    return [
        Result(PART, what, measure, unit, tuple(each[measure] for each in measured))
        for what, measured in found.items()
        for measure, unit in (("call", "µs"), ("sent", "µs"), ("a second", ""), ("memory", "MB"))
        if what == "Kafka" or measure in ("call", "memory")
    ] + [Result(PART, "import", "time", "ms", imports_ms)]


async def _measured(brokers: str, prefix: str, count: int) -> dict[str, float]:
    program = ("-m", "bench.flow.decorated_calls", brokers, prefix, str(count))
    measured: dict[str, float] = json.loads(await _told_by(*program))
    return measured


async def _imported_ms() -> float:
    return statistics.median([float(await _told_by("-c", _IMPORT)) for _ in range(9)])


async def _told_by(*arguments: str) -> bytes:
    """Return what a new Python prints."""
    program = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdout=asyncio.subprocess.PIPE, cwd=_ROOT
    )
    told, _ = await program.communicate()
    assert program.returncode == 0, "the program that is measured has failed"
    return told


def main(rounds: int = 3, count: int = 300_000) -> None:
    """Measure, and print the table."""
    show(PART, with_servers(partial(client, rounds=rounds, count=count)))


if __name__ == "__main__":
    typer.run(main)
