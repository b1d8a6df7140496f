"""Latency from the execution that breaks a tool to each stage of its rollback."""

import asyncio
import statistics
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from random import Random
from typing import Final

import typer

from bench.flow.deploying import deploy
from bench.flow.drain import drain
from bench.flow.load import Load, Tools, chosen, spawn
from bench.flow.raw_chain import raw_chain
from bench.flow.rollback_times import STAGES, RollbackTimes
from bench.results import Result, quantiles, show
from bench.setup.environment import Environment
from bench.setup.servers import with_servers
from tests.support.inputs.messages import execution

PART: Final = "latency"
ROLES: Final = ("detector", "applier", "recorder")
SHARES: Final = (0, 25, 50, 80)
"""The load, in percent of the throughput."""
_TOOLS: Final = 50
_WARM_S: Final = 3.0
"""The load runs for so long before the first rollback."""
_LATE_S: Final = 60.0


async def latency(
    brokers: str,
    dsn: str,
    rollbacks: int = 200,
    every_s: float = 0.1,
    executions: int = 200_000,
    rounds: int = 3,
) -> list[Result]:
    """Measure the time from sending the execution that breaks a tool to each stage of its rollback.

    There are four stages. *Command*: the command is in `rollback-commands`. *Commit*: the row of
    the rollback is committed in Postgres (asked every millisecond after the command was seen).
    *Outcome*: the outcome is published. *Reload*: an engine that follows `tool-versions` uses the
    old version. A round has 200 rollbacks, 10 in a second, also if earlier ones are not done. At
    the same time the three roles handle executions of 50 other tools: none when idle, and 25, 50
    and 80 % of the rate at which the whole pipeline handles a backlog. The raw chain has the same
    hops between equally many processes, one insert and the same acknowledgements, and does nothing
    else with the records.
    """
    async with Environment.made(brokers, dsn) as environment:
        workers = await environment.start(*ROLES)
        names = [f"load-{number}" for number in range(_TOOLS)]
        tools = Tools(names, await deploy(environment, names, "x = 0\n"))
        load = Load.into(environment, tools)
        random, rates = Random(1), []
        for _ in range(rounds):
            took = await drain(environment, workers, load, chosen(_TOOLS, executions, 0.0, random))
            rates.append(took.rate)
        found: dict[tuple[int, str], list[list[float]]] = defaultdict(list)
        async with RollbackTimes.followed(environment.settings) as times:
            for number in range(rounds):
                async with Environment.made(brokers, dsn) as bare:
                    found[0, "raw chain"].append(await raw_chain(bare, rollbacks, every_s))
                for share in SHARES:
                    rate = statistics.median(rates) * share / 100
                    broken = [f"broken-{number}-{share}-{each}" for each in range(rollbacks)]
                    await _prepare(environment, broken)
                    async with _loaded(
                        environment, tools, rate, _WARM_S + every_s * rollbacks + _LATE_S
                    ):
                        await _break(environment, times, broken, every_s)
                    await environment.groups.caught_up(ROLES)
                    for stage in STAGES:
                        found[share, stage].append(times.taken_s(stage, broken))
    return [
        Result(PART, "all of a backlog", "executions", "a second", tuple(rates)),
        *(each for key, taken in found.items() for each in quantiles(PART, _what(*key), taken)),
    ]


async def _prepare(environment: Environment, tools: list[str]) -> None:
    """Deploy two versions of each tool and send two of the three failures that a rollback takes."""
    for code in ("x = 1\n", "x = 2\n"):
        await deploy(environment, tools, code)
    for tool in tools:
        await environment.send(*(execution(tool, "ValueError: broken") for _ in range(2)))
    await environment.groups.caught_up(ROLES)


@asynccontextmanager
async def _loaded(
    environment: Environment, tools: Tools, rate: float, seconds: float
) -> AsyncIterator[None]:
    """Let another process send so many executions per second meanwhile."""
    if not rate:
        yield
        return
    path = environment.folder / "tools.json"
    tools.write(path)
    process = await spawn(environment.settings, path, rate, seconds)
    try:
        await asyncio.sleep(_WARM_S)
        yield
    finally:
        process.terminate()
        await process.wait()


async def _break(
    environment: Environment, times: RollbackTimes, tools: list[str], every_s: float
) -> None:
    """Send the third failure of one tool after the other; return when all stages were seen."""
    sending = []
    begin = time.perf_counter()
    for number, tool in enumerate(tools):
        await asyncio.sleep(begin + number * every_s - time.perf_counter())
        times.sent[tool] = time.perf_counter()
        last = execution(tool, "ValueError: broken")
        sending.append(asyncio.create_task(environment.send(last)))
    await asyncio.gather(*sending)
    await times.complete(tools, _LATE_S)


def _what(share: int, stage: str) -> str:
    return f"at {share} %: {stage}" if share else f"idle: {stage}"


def main(
    rollbacks: int = 200, every_s: float = 0.1, executions: int = 200_000, rounds: int = 3
) -> None:
    """Measure, and print the table."""
    measure = partial(
        latency, rollbacks=rollbacks, every_s=every_s, executions=executions, rounds=rounds
    )
    show(PART, with_servers(measure))


if __name__ == "__main__":
    typer.run(main)
