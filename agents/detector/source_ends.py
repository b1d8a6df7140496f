"""How far the partitions reach from which forwarded executions say that they come.

Anybody who may write executions may also write the header `rollguard-from`. If a forged one named a
very high offset, all later copies of that tool from the same partition would be taken for
repetitions. So an offset that a partition cannot have says nothing.
"""

from collections.abc import Iterable
from typing import Final

import structlog
from aiokafka import TopicPartition

from policy.state.log import LogRecord
from schemas.settings import Settings
from streams.driver.driver import Driver
from streams.kafka_errors import any_error_retryable
from streams.retries import retry_without_limit
from streams.topics import Topics
from streams.waits import Waits

log = structlog.get_logger()

SLACK: Final = 100_000
"""An offset may be so much higher than the end of its partition that is known. So the broker is not
asked for each batch. And the end may lag: some brokers answer with the beginning of the last
batch."""


class SourceEnds:
    """The ends of the partitions of one topic, as far as they have been asked for."""

    def __init__(self, driver: Driver, settings: Settings, waits: Waits) -> None:
        self._driver = driver
        self._settings = settings
        self._topic = Topics.of(settings).executions
        self._waits = waits
        self._ends: dict[int, int] = {}

    async def forget_impossible(self, copies: Iterable[LogRecord]) -> None:
        """Set the source of each record to None if its partition cannot have such an offset."""
        doubtful = [each for each in copies if self._is_beyond(each)]
        if not doubtful:
            return
        partitions = {each.source.partition for each in doubtful if each.source is not None}
        self._ends |= await retry_without_limit(lambda: self._ask(partitions), self._waits)
        impossible = [each for each in doubtful if self._is_beyond(each)]
        for each in impossible:
            each.source = None
        if impossible:
            log.warning("sources_impossible", records=len(impossible), first=impossible[0].offset)

    def _is_beyond(self, record: LogRecord) -> bool:
        source = record.source
        return source is not None and source.offset >= (self._ends.get(source.partition, 0) + SLACK)

    async def _ask(self, partitions: Iterable[int]) -> dict[int, int]:
        asked = [TopicPartition(self._topic, partition) for partition in partitions]
        with any_error_retryable(self._settings):
            ends = await self._driver.ends_of(asked)
        return {tp.partition: end for tp, end in ends.items()}
