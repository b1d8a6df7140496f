"""From a hundred tools to a million: what an execution costs, an idle tool, and a crash."""

import asyncio
import signal
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Final

import typer

from bench.flow.drain import drain
from bench.flow.load import Load, Tools, chosen
from bench.results import Result, show
from bench.setup.environment import Environment, Worker
from bench.setup.servers import with_servers
from tests.support.system import execution, until

PART: Final = "growth"
TOOLS: Final = (100, 10_000, 100_000, 1_000_000)
TRAFFIC: Final = {"uniform": 0.0, "Zipf": 1.0}
_RESTART_S: Final = 0.3
"""What a supervisor takes to start a worker again."""
_MANY: Final = 100_000
"""So many tools at least, to say from a process's memory what one takes."""


@dataclass
class _KnownTools:
    """A detector that knows so many tools, and what its memory was before."""

    tools: int
    environment: Environment
    detector: Worker
    load: Load
    empty_bytes: int


async def growth(
    brokers: str,
    dsn: str,
    tools: tuple[int, ...] = TOOLS,
    executions: int = 200_000,
    each: int = 2,
    rounds: int = 3,
) -> list[Result]:
    """A detector that knows so many tools, each with one current version and two executions: its
    memory when nothing is in flight, and by how much it has grown for each tool; the time from its
    kill -9, started again after 0.3 s, until an execution that was sent at once is in the windows,
    and its memory then; its CPU time for a further execution, with all tools alike and by Zipf's
    law (the n-th has 1/n of the first's executions); and the time of recovery once more, with rows
    kept on disk.
    """
    found: dict[tuple[int, str, str], list[float]] = defaultdict(list)
    random = Random(1)
    async with AsyncExitStack() as stack:
        fields = []
        for count in tools:
            field = await stack.enter_async_context(_field(brokers, dsn, count, each))
            fields.append(field)
            grown = field.detector.rss_bytes - field.empty_bytes
            found[count, "memory", "MB"].append(field.detector.rss_bytes / 1e6)
            if count >= _MANY:
                found[count, "idle tool", "bytes"].append(grown / count)
        for _ in range(rounds):
            for field in fields:
                found[field.tools, "recovery", "s"].append(await _judged_again(field))
                await field.detector.ready()
        for field in fields:
            found[field.tools, "memory, recovered", "MB"].append(field.detector.rss_bytes / 1e6)
        for _ in range(rounds):
            for name, zipf in TRAFFIC.items():
                for field in fields:
                    of = chosen(field.tools, executions, zipf, random)
                    took = await drain(field.environment, [field.detector], field.load, of)
                    found[field.tools, f"CPU, {name}", "µs"].append(took.cpu_us)
        for field in fields:
            await field.detector.end()
            field.detector.environment["ROLLGUARD_KEEP_ROWS"] = "true"
            await field.detector.start()
            await field.detector.ready()
            for _ in range(rounds):
                found[field.tools, "recovery, rows kept", "s"].append(await _judged_again(field))
                await field.detector.ready()
    return [
        Result(PART, f"{count:,} tools", measure, unit, tuple(values))
        for (count, measure, unit), values in found.items()
    ]


@asynccontextmanager
async def _field(brokers: str, dsn: str, tools: int, each: int) -> AsyncIterator[_KnownTools]:
    async with Environment.made(brokers, dsn) as environment:
        [detector] = await environment.start("detector")
        empty_bytes = detector.rss_bytes
        load = Load.into(environment, Tools.numbered(tools))
        await load.send(load.activations())
        for _ in range(each):
            await load.send(load.executions(range(tools)))
        await environment.groups.caught_up(["detector"])
        yield _KnownTools(tools, environment, detector, load, empty_bytes)


async def _judged_again(field: _KnownTools) -> float:
    """Seconds from kill -9 until an execution that is sent at once is in the windows."""
    environment, detector = field.environment, field.detector
    newest = execution("tool-0", version_id=1)
    page = "/tools/tool-0/health"

    async def is_judged() -> bool:
        _, health = await detector.page(page)
        recent = health.get("recent") or [{}]
        return bool(recent[0].get("execution_id") == str(newest.execution_id))

    begin = time.perf_counter()
    await detector.end(signal.SIGKILL)
    sending = asyncio.create_task(
        environment.producer.send_and_wait(
            environment.topics.executions, newest.to_bytes(), key=b"tool-0"
        )
    )
    await asyncio.sleep(_RESTART_S)
    await detector.start()
    await until(is_judged, 600)
    took_s = time.perf_counter() - begin
    await sending
    return took_s


def main(
    tools: list[int] = typer.Option(list(TOOLS)),  # noqa: B008
    executions: int = 200_000,
    each: int = 2,
    rounds: int = 3,
) -> None:
    """Measure, and print the table."""
    measure = partial(growth, tools=tuple(tools), executions=executions, each=each, rounds=rounds)
    show(PART, with_servers(measure))


if __name__ == "__main__":
    typer.run(main)
