"""Parts whose modules have result types of their own, turned into results of the runner."""

from collections import defaultdict
from typing import Final

from bench.parts import applier as _applier
from bench.parts import recorder as _recorder
from bench.parts.throughput import detector_throughput
from bench.results import Result

TOOLS: Final = (50, 10_000)


async def throughput(
    brokers: str,
    dsn: str,
    tools: tuple[int, ...] = TOOLS,
    executions: int = 200_000,
    rounds: int = 3,
) -> list[Result]:
    """Compare the detector with the raw limit, with Quix Streams and with stock Faust.

    The raw limit is a program that only fetches (`getmany`) and validates, with a plain pydantic
    model and with our reader. Quix Streams and stock Faust apply the same rules as the detector.
    All read the same log, in which all tools have equally many executions, and must make the
    decisions that the log demands. The time that a program takes to start is subtracted. Stock
    Faust gets a quarter of the log, because it is so slow.
    """
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


async def recorder(
    brokers: str, dsn: str, executions: int = 200_000, rows: int = 20_000_000, rounds: int = 3
) -> list[Result]:
    """Compare the recorder with its limit.

    The limit is a program that fetches (`getmany`), reads executions as the recorder does, and
    copies the same rows by a binary COPY into a table of the same definition. Both are measured
    with empty tables and with tables of 20,000,000 rows. Each has a separate Postgres.
    """
    results = []
    for before in (0, rows):
        found = await _recorder.measure(brokers, executions, before, rounds)
        for name in ("limit", "recorder"):
            what = f"{name}, {before:,} rows"
            costs = [getattr(each, name) for each in found.rounds]
            for measure in ("worker", "postgres", "wall"):
                values = tuple(getattr(cost, measure) for cost in costs)
                results.append(Result("recorder", what, measure, "µs", values))
        what = f"recorder, {before:,} rows"
        share = tuple(each.share for each in found.rounds)
        results.append(Result("recorder", what, "of its limit", "", share))
        stored = found.table_bytes + sum(found.index_bytes.values())
        results.append(Result("recorder", what, "in Postgres", "bytes", (stored,)))
    return results


async def applier(brokers: str, dsn: str, rounds: int = 3) -> list[Result]:
    """Measure how fast one applier handles a backlog.

    The backlog consists of deployments of small tools, each with another change, and then of
    rollbacks: an automatic one, and a manual one back to the same version, in turn. There are two
    CPU times: that of the worker, and that of its child process, which compares code. The applier
    has a separate Postgres.
    """
    taken: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for _ in range(rounds):
        found = await _applier.measure(brokers, 500, 2_000, 4_000)
        for what, each in found._asdict().items():
            taken[what, "done", "a second"].append(each.per_second)
            taken[what, "CPU", "ms"].append(each.worker_ms)
            taken[what, "CPU of the child", "ms"].append(1000 * each.child_cpu_s / each.records)
    return [Result("applier", *key, tuple(values)) for key, values in taken.items()]
