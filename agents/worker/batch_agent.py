"""The agent that all roles share: it takes batches one at a time, and handles their errors.

Faust acknowledges a message when its agent raises, so no error may leave the agent. A record that
can never succeed becomes a dead letter. Work that may succeed later is repeated until it does.
While the topics are not as they were when the worker started, the batch waits for an operator. Any
other error is a bug of ours: the batch is not marked as done, and the process ends with an error.
"""

import asyncio
from time import perf_counter
from typing import Final, Protocol

import structlog

from agents.worker.fatal import Fatal
from agents.worker.metrics.work_metrics import WorkMetrics
from streams.broker_topics.watch import TopicsChanged, TopicWatch
from streams.driver.batch import Batch
from streams.driver.driver import Driver
from streams.partitions import name_of

log = structlog.get_logger()

_HELD_S: Final = 0.2


class BatchHandler(Protocol):
    """The work of a role on the records of one partition, in their order."""

    async def handle(self, batch: Batch) -> None:
        """Return when all results are acknowledged and stored.

        Raises TopicsChanged before it refuses a record that lies in a partition that is not its
        own only because partitions were added. Any other error is a bug.
        """


class BatchAgent:
    """Gives a role's batches to its handler, one at a time, and marks them as done."""

    def __init__(
        self,
        driver: Driver,
        name: str,
        topics: list[str],
        handler: BatchHandler,
        fatal: Fatal,
        watch: TopicWatch,
        metrics: WorkMetrics,
    ) -> None:
        self._driver = driver
        self._watch = watch
        self._handler = handler
        self._fatal = fatal
        self._busy = asyncio.Lock()
        self._closing = False
        self._metrics = metrics.of_agent(name)
        driver.read(name, topics, self._take, about=handler.__doc__ or name)

    async def _take(self, batch: Batch) -> None:
        async with self._busy:
            while not await self._is_over(batch):
                await asyncio.sleep(_HELD_S)

    async def _is_over(self, batch: Batch) -> bool:
        """Handle the batch, and return True; False if it must wait for an operator.

        A batch that is not marked as done is read again by the partition's owner.
        """
        if self._closing or self._fatal.error is not None:
            return True
        if self._watch.held is not None:
            return False
        if self._driver.take(batch):
            records, began = len(batch.records), perf_counter()
            try:
                await self._handler.handle(batch)
            except TopicsChanged:
                return False
            except Exception as error:
                offsets = f"{batch.first.offset}..{batch.last.offset}"
                partition = name_of(batch.topic_partition)
                log.exception("batch_failed", partition=partition, offsets=offsets)
                self._fatal(error)
                return True
            self._metrics.handled(records, perf_counter() - began)
            self._driver.mark_done(batch)
        return True

    async def close(self, timeout_s: float) -> bool:
        """Take no other batch, and wait at most ``timeout_s`` for the current one to finish.

        Return whether it finished.
        """
        self._closing = True
        try:
            async with asyncio.timeout(timeout_s), self._busy:
                return True
        except TimeoutError:
            log.warning("batch_abandoned", waited_s=timeout_s)
            return False
