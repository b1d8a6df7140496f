"""How far the partitions reach from which forwarded executions say that they come.

Anybody who may write executions may also write the header `rollguard-from`. An offset that the
partition cannot have says nothing (``policy.state.forwarding.is_possible``).
"""

from collections.abc import Iterable

import structlog
from aiokafka import TopicPartition

from policy.state.forwarding import is_possible
from policy.state.log import LogRecord
from schemas.settings import Settings
from streams.driver.driver import Driver
from streams.kafka_errors import any_error_retryable
from streams.retries import retry_without_limit
from streams.topics import Topics
from streams.waits import Waits

log = structlog.get_logger()


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
        return record.source is not None and not is_possible(record.source, self._ends)

    async def _ask(self, partitions: Iterable[int]) -> dict[int, int]:
        asked = [TopicPartition(self._topic, partition) for partition in partitions]
        with any_error_retryable(self._settings):
            ends = await self._driver.ends_of(asked)
        return {tp.partition: end for tp, end in ends.items()}
