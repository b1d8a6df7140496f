"""Throughput: the detector compared with the raw limit, stock Faust and Quix Streams.

All judge the same log in the same run, one after the other, in several rounds. Each must come to
the decisions that the log demands. A program has judged a log when all of it is committed. The time
to start and to join the group is measured on a log without executions, and subtracted. Stock Faust
gets a part of the log, because it takes so long.
"""

import asyncio
import os
import statistics
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import typer
import uvloop
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from bench.flow.raw_limit import raw_limit, read_plain_entry
from bench.flow.reading import read_entry
from bench.flow.traffic import Log, Traffic
from bench.setup.programs import detector, quix_streams, require_peers, stock_faust, usage
from bench.setup.servers import apache_kafka
from bench.setup.stage import Stage
from bench.setup.usage import Usage

STOCK_FAUST_SHARE: Final = 4
"""Stock Faust gets one of so many executions."""


@dataclass(frozen=True)
class Result:
    """The usage of one contender for an execution, in each round."""

    name: str
    executions: int
    rounds: tuple[Usage, ...]

    @property
    def cpu_us(self) -> tuple[float, float, float]:
        """Median, least and most CPU time, in microseconds."""
        return _spread([each.cpu_us for each in self.rounds])

    @property
    def wall_us(self) -> tuple[float, float, float]:
        """Median, least and most wall time, in microseconds."""
        return _spread([each.wall_us for each in self.rounds])


def _spread(values: list[float]) -> tuple[float, float, float]:
    return statistics.median(values), min(values), max(values)


async def detector_throughput(
    brokers: str, tools: int, executions: int, rounds: int, zipf: float = 0.0
) -> list[Result]:
    """Return a result for each contender, the raw limit first; ``zipf`` is as in ``Traffic``.

    Raise AssertionError if one of them decides otherwise than the log demands, and RuntimeError if
    ``make peers`` was not run. Run this on uvloop, as all programs do, because the raw limit is
    measured in this process.
    """
    require_peers()
    logs = [Log.of(Traffic(tools, count, zipf)) for count in _sizes(executions)]
    measured: dict[str, list[Usage]] = {}
    with tempfile.TemporaryDirectory(prefix="rollguard-bench-") as folder:
        for number in range(rounds):
            full, part, idle = [await Stage.published(brokers, log) for log in logs]
            for name, measure in _contenders(full, part, idle, Path(folder) / str(number)).items():
                measured.setdefault(name, []).append(await measure())
    judged = dict.fromkeys(measured, executions) | {"stock Faust": _sizes(executions)[1]}
    return [Result(name, judged[name], tuple(values)) for name, values in measured.items()]


def _sizes(executions: int) -> tuple[int, int, int]:
    return executions, executions // STOCK_FAUST_SHARE, 0


def _contenders(
    full: Stage, part: Stage, idle: Stage, folder: Path
) -> dict[str, Callable[[], Awaitable[Usage]]]:
    return {
        "raw limit, plain model": lambda: raw_limit(full, read_plain_entry),
        "raw limit, our model": lambda: raw_limit(full, read_entry),
        "detector": lambda: usage(detector, full, idle, folder / "detector"),
        "Quix Streams": lambda: usage(quix_streams, full, idle, folder / "quix"),
        "stock Faust": lambda: usage(stock_faust, part, idle, folder / "faust"),
    }


def print_results(results: list[Result], console: Console | None = None) -> None:
    """Print what each contender takes, also as a multiple of what the first takes."""
    limit = results[0].cpu_us[0]
    table = Table(
        box=SIMPLE, pad_edge=False, title="One execution: median (least–most) of the rounds"
    )
    table.add_column(no_wrap=True)
    for heading in ("judged", "CPU µs", "times", "wall µs"):
        table.add_column(heading, justify="right", no_wrap=True)
    for result in results:
        cpu, wall = result.cpu_us, result.wall_us
        table.add_row(
            result.name,
            f"{result.executions:,}",
            _shown(cpu),
            f"{cpu[0] / limit:.1f}",
            _shown(wall),
        )
    (console or Console()).print(table)


def _shown(spread: tuple[float, float, float]) -> str:
    median, least, most = (f"{each:.{0 if each >= 100 else 1}f}" for each in spread)
    return f"{median} ({least}–{most})"


def main(tools: int = 50, executions: int = 200_000, rounds: int = 3, zipf: float = 0.0) -> None:
    """Measure on the Apache Kafka at ROLLGUARD_KAFKA_BROKERS, else on one from Maven."""
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    with ExitStack() as stack:
        brokers = os.environ.get("ROLLGUARD_KAFKA_BROKERS") or stack.enter_context(apache_kafka())
        results = asyncio.run(detector_throughput(brokers, tools, executions, rounds, zipf))
    print_results(results)


if __name__ == "__main__":
    typer.run(main)
