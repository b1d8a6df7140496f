"""Growth from a hundred tools to a million: the cost of an execution, an idle tool, a crash."""

import asyncio
import signal
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
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
from tests.support.inputs.messages import execution
from tests.support.waiting import until

PART: Final = "growth"
TOOLS: Final = (100, 10_000, 100_000, 1_000_000)
TRAFFIC: Final = {"uniform": 0.0, "Zipf": 1.0}
_RESTART_S: Final = 0.3
"""The time that a supervisor takes to start a worker again."""
_MANY: Final = 100_000
"""With fewer tools, the memory of the process does not show what one tool takes."""


@dataclass
class _KnownTools:
    """A detector that knows so many tools, and the memory that it had before."""

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
    """Measure how a detector grows with the number of tools.

    Each tool has one current version and two executions. *Memory* is measured when there is nothing
    to read; *idle tool* is the growth of the memory for each tool. *Recovery* is the time from a
    kill -9 until an execution that was sent at once is in the windows; the worker is started again
    after 0.3 s. After the recovery, the memory is measured again. *CPU* is the CPU time for one
    more execution: *uniform* if all tools have equally many, *Zipf* if the n-th tool has 1/n of the
    executions of the first. At last, recovery is measured with rows that are kept on disk.
    """
    found: dict[tuple[int, str, str], list[float]] = defaultdict(list)
    random = Random(1)
    async with AsyncExitStack() as stack:
        detectors = []
        for count in tools:
            known = await stack.enter_async_context(_detector_of(brokers, dsn, count, each))
            detectors.append(known)
            grown = known.detector.rss_bytes - known.empty_bytes
            found[count, "memory", "MB"].append(known.detector.rss_bytes / 1e6)
            if count >= _MANY:
                found[count, "idle tool", "bytes"].append(grown / count)
        await _measure_recovery(detectors, rounds, found, "recovery")
        for known in detectors:
            found[known.tools, "memory, recovered", "MB"].append(known.detector.rss_bytes / 1e6)
        for _ in range(rounds):
            for name, zipf in TRAFFIC.items():
                for known in detectors:
                    of = chosen(known.tools, executions, zipf, random)
                    took = await drain(known.environment, [known.detector], known.load, of)
                    found[known.tools, f"CPU, {name}", "µs"].append(took.cpu_us)
        for known in detectors:
            await known.detector.end()
            known.detector.environment["ROLLGUARD_KEEP_ROWS"] = "true"
            await known.detector.start()
            await known.detector.ready()
            await _measure_recovery([known], rounds, found, "recovery, rows kept")
    return [
        Result(PART, f"{count:,} tools", measure, unit, tuple(values))
        for (count, measure, unit), values in found.items()
    ]


@asynccontextmanager
async def _detector_of(brokers: str, dsn: str, tools: int, each: int) -> AsyncIterator[_KnownTools]:
    async with Environment.made(brokers, dsn) as environment:
        [detector] = await environment.start("detector")
        empty_bytes = detector.rss_bytes
        load = Load.into(environment, Tools.numbered(tools))
        await load.send(load.activations())
        for _ in range(each):
            await load.send(load.executions(range(tools)))
        await environment.groups.caught_up(["detector"])
        yield _KnownTools(tools, environment, detector, load, empty_bytes)


async def _measure_recovery(
    detectors: Sequence[_KnownTools],
    rounds: int,
    found: dict[tuple[int, str, str], list[float]],
    name: str,
) -> None:
    for _ in range(rounds):
        for known in detectors:
            found[known.tools, name, "s"].append(await _judged_again(known))
            await known.detector.ready()


async def _judged_again(known: _KnownTools) -> float:
    """Return the seconds from kill -9 until an execution that is sent at once is in the windows."""
    environment, detector = known.environment, known.detector
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
