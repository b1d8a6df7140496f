"""The cost of deciding under policy `guarded`, compared with `seed`."""

from collections import defaultdict
from contextlib import AsyncExitStack
from functools import partial
from random import Random
from typing import Final, get_args

import typer

from bench.flow.drain import drain
from bench.flow.load import Load, Tools, chosen
from bench.results import Result, show
from bench.setup.environment import Environment
from bench.setup.servers import with_servers
from schemas.rules.rules import PolicyName

PART: Final = "policies"
TOOLS: Final = (50, 1_000)
FAILS: Final = (500, 20, 2)


async def policies(
    brokers: str,
    dsn: str,
    tools: tuple[int, ...] = TOOLS,
    fails: tuple[int, ...] = FAILS,
    executions: int = 200_000,
    rounds: int = 3,
) -> list[Result]:
    """Measure the CPU time of a detector for an execution under each policy.

    One of 500, of 20 and of 2 executions fails, as often as with the version before. There are 50
    and 1,000 tools, which have equally many executions. The last column is `guarded` divided by
    `seed`, round by round.
    """
    results = []
    for number in tools:
        for one_of in fails:
            what = f"{number:,} tools, one of {one_of} fails"
            cpu_us = await _measured(brokers, dsn, number, one_of, executions, rounds)
            for policy, each in cpu_us.items():
                results.append(Result(PART, what, policy, "µs", tuple(each)))
            times = [b / a for a, b in zip(cpu_us["seed"], cpu_us["guarded"], strict=True)]
            results.append(Result(PART, what, "guarded", "times seed", tuple(times)))
    return results


async def _measured(
    brokers: str, dsn: str, tools: int, one_of: int, executions: int, rounds: int
) -> dict[str, list[float]]:
    random, cpu_us = Random(1), defaultdict(list)
    async with AsyncExitStack() as stack:
        environments = {}
        for policy in get_args(PolicyName):
            environment = await stack.enter_async_context(Environment.made(brokers, dsn))
            await environment.start("detector", ROLLGUARD_POLICY=policy)
            environments[policy] = (
                environment,
                await _with_baselines(environment, tools, one_of, executions),
            )
        for _ in range(rounds):
            of = chosen(tools, executions, 0.0, random)
            for policy, (environment, load) in environments.items():
                cpu_us[policy].append(
                    (await drain(environment, environment.workers, load, of)).cpu_us
                )
    return cpu_us


async def _with_baselines(
    environment: Environment, tools: int, one_of: int, executions: int
) -> Load:
    """Activate and execute a version of each tool, then activate another; return the load."""
    known = Tools.numbered(tools)
    load = Load.into(environment, known, one_of)
    await load.send(load.activations())
    await load.send(load.executions(chosen(tools, executions // 2, 0.0, Random(2))))
    await load.send(load.activations(2))
    await environment.groups.caught_up(["detector"])
    return load


def main(
    tools: list[int] = typer.Option(list(TOOLS)),  # noqa: B008
    fails: list[int] = typer.Option(list(FAILS), help="One of so many executions fails."),  # noqa: B008
    executions: int = 200_000,
    rounds: int = 3,
) -> None:
    """Measure, and print the table."""
    measure = partial(
        policies, tools=tuple(tools), fails=tuple(fails), executions=executions, rounds=rounds
    )
    show(PART, with_servers(measure))


if __name__ == "__main__":
    typer.run(main)
