"""Work that a worker repeats at intervals, besides its batches."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import structlog

from agents.worker.metrics.work_metrics import WorkMetrics
from schemas.errors import Retryable

log = structlog.get_logger()


class PeriodicTask(NamedTuple):
    """Some work of a role, and the pause before each repetition."""

    name: str
    every_s: float
    work: Callable[[], Awaitable[int]]
    """Returns how many records it wrote. May raise Retryable."""


async def repeat(task: PeriodicTask, metrics: WorkMetrics) -> None:
    """Repeat the work until cancelled.

    An error that is Retryable is logged and counted, and any other is raised.
    """
    failures = metrics.task_failures.labels(task.name)
    while True:
        await asyncio.sleep(task.every_s)
        try:
            written = await task.work()
        except Retryable as error:
            failures.inc()
            log.warning("periodic_task_failed", work=task.name, cause=str(error))
        else:
            log.debug("periodic_task_done", work=task.name, records=written)
