"""Measures workers on a backlog: their CPU time for an execution, and executions per second."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.flow.load import Load
from bench.setup.environment import Environment, Worker


@dataclass(frozen=True)
class Drained:
    """The time and the CPU that workers took for a backlog.

    ``cpu_us`` is the CPU time of all workers together for one execution, in microseconds. ``rate``
    is the number of executions per second of the slowest role after all were sent.
    """

    cpu_us: float
    rate: float


async def drain(
    environment: Environment, workers: Sequence[Worker], load: Load, of: Iterable[int]
) -> Drained:
    """Send an execution of each of these tools and wait until all roles have committed them."""
    roles = {worker.role for worker in workers}
    batches = load.executions(of)
    total = sum(batch.record_count() for each in batches.values() for batch in each)
    cpu_s, begin = sum(worker.cpu_s for worker in workers), time.perf_counter()
    await load.send(batches)
    left = max([await environment.groups.lag(role) for role in roles])
    if left > total / 2:
        begin = time.perf_counter()
    else:
        left = total  # too few are left: count those that were done during the sending, too
    await environment.groups.caught_up(roles)
    took_s = time.perf_counter() - begin
    cpu_s = sum(worker.cpu_s for worker in workers) - cpu_s
    return Drained(1e6 * cpu_s / total, left / took_s)
