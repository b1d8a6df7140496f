"""Parts whose modules have results of their own, as results of the runner."""

from typing import Final

from bench.report import Result
from bench.throughput import detector_throughput

TOOLS: Final = (50, 10_000)


async def throughput(
    brokers: str,
    dsn: str,
    tools: tuple[int, ...] = TOOLS,
    executions: int = 200_000,
    rounds: int = 3,
) -> list[Result]:
    """The detector beside the raw limit (`getmany` and validation, with a plain pydantic model and
    with ours), Quix Streams, and stock Faust with windowed tables, with the same rules. All judge
    the same log, all tools alike, and must come to the decisions that it demands; what a program
    takes to start is taken off. Stock Faust gets a quarter of the log."""
    results = []
    for count in tools:
        found = await detector_throughput(brokers, count, executions, rounds)
        limit = found[0].rounds
        for each in found:
            what = f"{each.name}, {count:,} tools"
            cpu_us = tuple(used.cpu_us for used in each.rounds)
            times = tuple(own / raw.cpu_us for own, raw in zip(cpu_us, limit, strict=True))
            wall_us = tuple(used.wall_us for used in each.rounds)
            results.append(Result("throughput", what, "CPU", "µs", cpu_us))
            results.append(Result("throughput", what, "times the raw limit", "", times))
            results.append(Result("throughput", what, "wall", "µs", wall_us))
    return results
