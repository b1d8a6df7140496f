"""The throughput that each further detector adds, up to the cores of the machine."""

from collections import defaultdict
from contextlib import AsyncExitStack
from functools import partial
from random import Random
from typing import Final

import typer

from bench.flow.drain import drain
from bench.flow.load import Load, Tools, chosen
from bench.results import Result, show
from bench.setup.environment import Environment
from bench.setup.servers import with_servers

PART: Final = "scaling"
DETECTORS: Final = (1, 2, 4)
PARTITIONS: Final = 8


async def scaling(
    brokers: str,
    dsn: str,
    detectors: tuple[int, ...] = DETECTORS,
    tools: int = 1_000,
    executions: int = 400_000,
    rounds: int = 3,
) -> list[Result]:
    """Measure 1, 2 and 4 detectors with 8 partitions.

    There are 1,000 tools, which have equally many executions. The table shows how many executions
    of a backlog all detectors together judge in a second, and their CPU time for one execution. If
    there are fewer cores than detectors, the rate says little, because the cores are busy, also
    with the broker. But if the CPU time stays the same, more cores judge more executions.
    """
    random = Random(1)
    rates, cpu_us = defaultdict(list), defaultdict(list)
    async with AsyncExitStack() as stack:
        environments = {}
        for count in detectors:
            environment = await stack.enter_async_context(
                Environment.made(brokers, dsn, PARTITIONS)
            )
            await environment.start(*["detector"] * count)
            load = Load.into(environment, Tools.numbered(tools))
            await load.send(load.activations())
            await environment.groups.caught_up(["detector"])
            environments[count] = environment, load
        for _ in range(rounds):
            for count, (environment, load) in environments.items():
                of = chosen(tools, executions, 0.0, random)
                took = await drain(environment, environment.workers, load, of)
                rates[count].append(took.rate)
                cpu_us[count].append(took.cpu_us)
    results = []
    for count in detectors:
        what = "1 detector" if count == 1 else f"{count} detectors"
        results.append(Result(PART, what, "executions", "a second", tuple(rates[count])))
        results.append(Result(PART, what, "CPU", "µs", tuple(cpu_us[count])))
    return results


def main(
    detectors: list[int] = typer.Option(list(DETECTORS)),  # noqa: B008
    tools: int = 1_000,
    executions: int = 400_000,
    rounds: int = 3,
) -> None:
    """Measure, and print the table."""
    measure = partial(
        scaling, detectors=tuple(detectors), tools=tools, executions=executions, rounds=rounds
    )
    show(PART, with_servers(measure))


if __name__ == "__main__":
    typer.run(main)
