"""Work that a worker repeats at intervals, beside its batches."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import structlog

from schemas.errors import Retryable

log = structlog.get_logger()


class PeriodicTask(NamedTuple):
    """Some work of a role, and the pause before each time that it is done."""

    name: str
    every_s: float
    work: Callable[[], Awaitable[int]]
    """Returns how many records it wrote. May raise Retryable."""


async def repeat(task: PeriodicTask) -> None:
    """Do the work without end.

    If it raises Retryable, it is done again after the usual pause; any other error is raised.
    """
    while True:
        await asyncio.sleep(task.every_s)
        try:
            written = await task.work()
        except Retryable as error:
            log.warning("periodic_task_failed", work=task.name, cause=str(error))
        else:
            log.debug("periodic_task_done", work=task.name, records=written)
