"""Executions that lie in a wrong partition, compared with those that do not."""

from collections import defaultdict
from contextlib import AsyncExitStack
from functools import partial
from operator import truediv
from random import Random
from typing import Final

import typer

from bench.flow.drain import drain
from bench.flow.load import Load, Tools, chosen
from bench.results import Result, show
from bench.setup.environment import Environment
from bench.setup.servers import with_servers

PART: Final = "forwarding"
DISTANCES: Final = {"straight": 0, "forwarded": 1}
"""How many partitions further than that of its key each execution lies."""
LEAST: Final = 1 / 3
"""The throughput of forwarded executions, as a share of that of the others, is at least this."""


async def forwarding(
    brokers: str, dsn: str, tools: int = 1_000, executions: int = 200_000, rounds: int = 3
) -> list[Result]:
    """Compare executions in a wrong partition with those in the partition of their key.

    One detector judges a backlog of which all executions lie in the right partition, and then one
    of which none does, in turn. There are 4 partitions and 1,000 tools, which have equally many
    executions. A forwarded execution is read twice and sent once. The last column is the throughput
    of forwarded executions as a share of that of straight ones.
    """
    random = Random(1)
    rates, cpu_us = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list)
    async with AsyncExitStack() as stack:
        environments = {}
        for what, distance in DISTANCES.items():
            environment = await stack.enter_async_context(Environment.made(brokers, dsn))
            await environment.start("detector")
            straight = Load.into(environment, Tools.numbered(tools))
            await straight.send(straight.activations())
            await environment.groups.caught_up(["detector"])
            load = Load.into(environment, Tools.numbered(tools), distance=distance)
            environments[what] = environment, load
        for _ in range(rounds):
            of = chosen(tools, executions, 0.0, random)
            for what, (environment, load) in environments.items():
                took = await drain(environment, environment.workers, load, of)
                rates[what].append(took.rate)
                cpu_us[what].append(took.cpu_us)
    results = []
    for what in DISTANCES:
        results.append(Result(PART, what, "executions", "a second", tuple(rates[what])))
        results.append(Result(PART, what, "CPU", "µs", tuple(cpu_us[what])))
    shares = tuple(map(truediv, rates["forwarded"], rates["straight"]))
    results.append(Result(PART, "forwarded", "share", "", shares))
    assert results[-1].median >= LEAST, f"only {results[-1].shown} of straight ones"
    return results


def main(tools: int = 1_000, executions: int = 200_000, rounds: int = 3) -> None:
    """Measure, and print the table."""
    measure = partial(forwarding, tools=tools, executions=executions, rounds=rounds)
    show(PART, with_servers(measure))


if __name__ == "__main__":
    typer.run(main)
