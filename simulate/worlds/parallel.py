"""Work that is spread over processes."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

Job = TypeVar("Job")
Done = TypeVar("Done")


def in_processes(
    do: Callable[[Job], Done], jobs: Sequence[Job], processes: int, at_once: int = 1
) -> list[Done]:
    """Return the result of each job, in the order of the jobs.

    A process takes ``at_once`` jobs at a time.
    """
    if processes == 1:
        return [do(job) for job in jobs]
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        return list(pool.map(do, jobs, chunksize=at_once))
