"""What a worker does again and again, beside its batches."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import structlog

from schemas.errors import Retryable

log = structlog.get_logger()


class Repeated(NamedTuple):
    """Some work of a role, and how long to wait before it is done again."""

    name: str
    every_s: float
    work: Callable[[], Awaitable[int]]
    """Returns how many records it wrote. May raise Retryable."""


async def again_and_again(repeated: Repeated) -> None:
    """Without end. What fails is tried the next time; what is a bug is raised."""
    while True:
        await asyncio.sleep(repeated.every_s)
        try:
            written = await repeated.work()
        except Retryable as error:
            log.warning("periodic_task_failed", work=repeated.name, cause=str(error))
        else:
            log.debug("done", work=repeated.name, records=written)
