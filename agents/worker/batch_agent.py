"""What the three roles share: one agent that takes batches, and the way in which it fails.

Faust acknowledges a message when its agent raises, so nothing may leave the loop: what can never
succeed is a dead letter, what may succeed later is waited for in place, and anything else is a bug
of ours: the batch is not marked as done, and the process ends, loudly.
"""

import asyncio
from typing import Any, Protocol

import structlog

from streams.driver.app import source_channel
from streams.driver.batches import Batch, BatchConsumer

log = structlog.get_logger()


class BatchHandler(Protocol):
    """What a role does with the records of one partition, in their order."""

    async def handle(self, batch: Batch) -> None:
        """Returns when all is acknowledged and stored; raises only what is a bug."""


class BatchAgent:
    """Feeds a role's batches to its handler, one at a time, and marks what is done."""

    def __init__(
        self, app: Any, name: str, topics: list[str], handler: BatchHandler, fatal: "Fatal"
    ) -> None:
        self._app = app
        self._handler = handler
        self._fatal = fatal
        self._in_hand = asyncio.Lock()
        self._closing = False

        async def agent(batches: Any) -> None:
            async for batch in batches:
                await self._take(batch)

        agent.__name__ = name.replace("-", "_")
        agent.__doc__ = handler.__doc__
        app.agent(source_channel(app, topics), name=name, concurrency=1)(agent)

    async def _take(self, batch: Batch) -> None:
        async with self._in_hand:
            consumer: BatchConsumer = self._app.consumer
            if self._closing or self._fatal.error is not None or not consumer.take(batch):
                return  # not marked as done: whoever owns it reads it again
            batch.mark_done = consumer.mark_done
            try:
                await self._handler.handle(batch)
            except Exception as error:
                offsets = f"{batch.first.offset}..{batch.last.offset}"
                log.exception("batch_failed", partition=str(batch.place), offsets=offsets)
                self._fatal(error)
                return
            consumer.mark_done(batch)

    async def close(self, timeout_s: float) -> bool:
        """Let the batch in hand finish, for at most so long, and take no other; whether it did."""
        self._closing = True
        try:
            async with asyncio.timeout(timeout_s), self._in_hand:
                return True
        except TimeoutError:
            log.warning("batch_abandoned", waited_s=timeout_s)
            return False


class Fatal:
    """Where anything reports that the process has to end; keeps the first error."""

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self.raised = asyncio.Event()

    def __call__(self, error: BaseException) -> None:
        if self.error is None:
            self.error = error
            self.raised.set()
