"""Twice the load that can be taken: commands come late, but all come, and in order."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial
from random import Random
from typing import Final

import typer

from bench.flow.deploying import deploy
from bench.flow.drain import drain
from bench.flow.load import Load, Tools, chosen, spawn
from bench.results import Result, show
from bench.setup.broken_tools import BrokenTools
from bench.setup.environment import Environment
from bench.setup.servers import with_servers
from bench.setup.watching import Watch

PART: Final = "pressure"
CASES: Final = {"detector": ("detector",), "pipeline": ("detector", "applier", "recorder")}
TIMES: Final = 2.0
_TOOLS: Final = 50
_BREAK_EVERY_S: Final = 1.0
"""From one broken_tools tool that breaks to the next."""
_DRAIN_TIMES: Final = 10.0
"""The lag must be gone within so many times the duration of the load."""


async def pressure(
    brokers: str, dsn: str, seconds: float = 180.0, executions: int = 200_000
) -> list[Result]:
    """Send twice the load that the detector can take, then twice what the whole pipeline can take.

    Each load lasts 3 minutes, and each second another tool breaks. No worker may end, leave its
    group or report that it is stuck. The memory of each worker must stop growing before the load
    ends. For every broken tool there must be a rollback command, in each partition in the order in
    which the tools broke. After the load the lag must fall to zero.
    """
    results = []
    for name, roles in CASES.items():
        results += await _case(brokers, dsn, name, roles, seconds, executions)
    return results


async def _case(
    brokers: str, dsn: str, name: str, roles: Sequence[str], seconds: float, executions: int
) -> list[Result]:
    async with Environment.made(brokers, dsn) as environment:
        workers = await environment.start(*roles)
        tools = await _tools(environment, roles, [f"load-{number}" for number in range(_TOOLS)])
        load = Load.into(environment, tools)
        random = Random(1)
        taken = await drain(environment, workers, load, chosen(_TOOLS, executions, 0.0, random))
        broken_tools = BrokenTools(
            environment, [f"broken-{number}" for number in range(int(seconds / _BREAK_EVERY_S))]
        )
        await _tools(environment, roles, broken_tools.tools)
        await environment.groups.caught_up(roles)

        watch = Watch(environment, workers)
        watching = asyncio.create_task(watch.run())
        path = environment.folder / "tools.json"
        tools.write(path)
        begin = time.perf_counter()
        process = await spawn(environment.settings, path, TIMES * taken.rate, seconds)
        try:
            await broken_tools.break_all(_BREAK_EVERY_S)
            output, _ = await process.communicate()
        finally:
            with suppress(ProcessLookupError):
                process.kill()
        loaded_s, ended = time.perf_counter() - begin, time.perf_counter()
        watch.load_ended()
        await environment.groups.caught_up(roles, _DRAIN_TIMES * loaded_s)
        drain_s = time.perf_counter() - ended
        watching.cancel()
        await asyncio.wait((watching,))
        watch.require()
        delays = await broken_tools.commanded()
    found = [
        ("taken of a backlog", "a second", taken.rate),
        ("sent", "a second", int(output) / loaded_s),
        ("largest lag", "records", watch.most_behind),
        ("latest command", "s", max(delays)),
        ("no lag after", "s", drain_s),
        *((f"{role}'s memory", "MB", peak / 1e6) for role, peak in watch.peaks().items()),
    ]
    return [Result(PART, f"{what}, {unit}", name, "", (value,)) for what, unit, value in found]


async def _tools(environment: Environment, roles: Iterable[str], names: list[str]) -> Tools:
    """Make these tools known: two deployed versions each; one activation if there is no applier."""
    if "applier" not in roles:
        tools = Tools(names, list(range(1, len(names) + 1)))
        load = Load.into(environment, tools)
        await load.send(load.activations())
        return tools
    await deploy(environment, names, "x = 1\n")
    return Tools(names, await deploy(environment, names, "x = 2\n"))


def main(seconds: float = 180.0, executions: int = 200_000) -> None:
    """Measure, and print the table."""
    measure = partial(pressure, seconds=seconds, executions=executions)
    show(PART, with_servers(measure))


if __name__ == "__main__":
    typer.run(main)
