"""The cost of signatures: deployments and rollbacks with and without them, in turn."""

import statistics
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from operator import sub
from typing import Final

import typer

from bench.results import Result, quantiles, show
from bench.setup.environment import Environment
from bench.setup.servers import with_servers
from rollguard.client import EngineClient
from tests.support.inputs.signing import KEY_OF_ROLE, settings_of, variables, write_files

PART: Final = "signing"
_WARM: Final = 20


async def signing(brokers: str, dsn: str, rounds: int = 3, times: int = 200) -> list[Result]:
    """Deploy a version and roll it back, 200 times in a round, with and without signatures.

    Two systems run at the same time on the same broker, and each step is made in one and then in
    the other, so that whatever else the machine does slows down both. A time is that from the call
    of the client until it has the outcome. A deployment is signed by its author and verified by the
    applier, which signs the activation and the version. A rollback is a person's. The difference is
    the median over pairs of steps that followed each other.
    """
    taken: dict[str, list[list[float]]] = {}
    async with _system(brokers, dsn, "off") as off, _system(brokers, dsn, "require") as required:
        systems = {"off": off, "require": required}
        for number in range(rounds):
            for name, client in systems.items():
                await _measure(client, f"warm-{number}-{name}", _WARM)
            steps = {name: _measured(client, f"tool-{number}") for name, client in systems.items()}
            for _ in range(times):
                for name, client_steps in steps.items():
                    for what, seconds in (await anext(client_steps)).items():
                        found = taken.setdefault(f"{what}, {name}", [])
                        found.extend([] for _ in range(number + 1 - len(found)))
                        found[number].append(seconds)
    results = [each for what, times_s in taken.items() for each in quantiles(PART, what, times_s)]
    return results + [_more(what, taken) for what in ("deployment", "rollback")]


def _more(what: str, taken: Mapping[str, Sequence[Sequence[float]]]) -> Result:
    """Return the median of what a step takes longer than the same step just before it."""
    pairs = zip(taken[f"{what}, require"], taken[f"{what}, off"], strict=True)
    medians = (statistics.median(map(sub, signed, unsigned)) * 1000 for signed, unsigned in pairs)
    return Result(PART, f"{what}, difference", "p50", "ms", tuple(medians))


@asynccontextmanager
async def _system(brokers: str, dsn: str, mode: str) -> AsyncIterator[EngineClient]:
    async with Environment.made(brokers, dsn) as environment:
        settings = environment.settings
        write_files(environment.folder, "ann", "applier", "detector")
        for role, key in KEY_OF_ROLE.items():
            more = variables(environment.folder, key) if mode == "require" else {}
            await environment.start(role, **more)
        if mode == "require":
            settings = settings_of(settings, environment.folder, "ann")
        async with EngineClient(settings) as client:
            yield client


async def _measure(client: EngineClient, tool: str, times: int) -> None:
    steps = _measured(client, tool)
    for _ in range(times):
        await anext(steps)


async def _measured(client: EngineClient, tool: str) -> AsyncIterator[dict[str, float]]:
    """Yield how long a deployment and the rollback of it took, in seconds, again and again."""
    first = await client.deploy(tool, "x = 0\n")
    number = 0
    while True:
        number += 1
        began = time.perf_counter()
        await client.deploy(tool, f"x = {number}\n")
        deployed = time.perf_counter()
        outcome = await client.rollback(tool, first.version_id or 0, "measured")
        ended = time.perf_counter()
        assert outcome.status == "applied", outcome
        yield {"deployment": deployed - began, "rollback": ended - deployed}


def main(rounds: int = 3, times: int = 200) -> None:
    """Measure, and print the table."""
    show(PART, with_servers(partial(signing, rounds=rounds, times=times)))


if __name__ == "__main__":
    typer.run(main)
