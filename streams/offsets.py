"""The committed offsets of a group and the ends of its partitions, as the broker has them.

They are read through a separate connection, because a consumer that is stuck cannot report its
lag.
"""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Final, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.settings import Settings
from streams.group_errors import offset_consumer
from streams.kafka_errors import any_error_retryable

_LOOK_S: Final = 3.0
"""How long one search for records may take. A partition that was not read to its end by then counts
as one that holds records."""


class Offsets(NamedTuple):
    """The committed offset and the end of one partition: each is the offset of the next record.

    Records of a transaction that is still open, and all records after the first of them, come after
    the end: nobody can read them yet.
    """

    committed: int
    end: int

    @property
    def lag(self) -> int:
        """The number of records that are not committed.

        A topic that was created anew may end before the committed offset; that is no lag.
        """
        return max(self.end - self.committed, 0)


class GroupOffsets:
    """Reads the offsets of one group, without being a member of it.

    It connects at the first call, and again after ``close``. Its methods raise Retryable, with
    the address, if no broker answers or a broker answers with an error. The caller limits the time.
    """

    def __init__(self, settings: Settings, group: str) -> None:
        self._settings = settings
        self._group = group
        self._consumer: AIOKafkaConsumer | None = None

    async def read(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, Offsets]:
        """Return the offsets of these partitions; 0 if nothing was ever committed."""
        listed = list(partitions)
        with any_error_retryable(self._settings):
            consumer = await self._connected()
            ends = await consumer.end_offsets(listed)
            committed = await asyncio.gather(*map(consumer.committed, listed))
        return {
            tp: Offsets(offset or 0, ends[tp]) for tp, offset in zip(listed, committed, strict=True)
        }

    async def without_records(
        self, lagging: Mapping[TopicPartition, Offsets]
    ) -> set[TopicPartition]:
        """Return the partitions whose lag certainly holds no record.

        Retention may have removed the records, and a producer's transaction leaves a marker that is
        no record. Both have offsets that no worker ever commits.
        """
        # A separate consumer, because one that was unsubscribed cannot always be stopped:
        # aiokafka's fetcher may lose its own cancellation while it cancels requests under way.
        consumer = offset_consumer(self._settings)
        empty: set[TopicPartition] = set()
        with any_error_retryable(self._settings):
            try:
                await consumer.start()
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_S):
                        await _find_empty(consumer, lagging, empty)
            finally:
                await consumer.stop()
        return empty

    async def close(self) -> None:
        """Close the connection."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()

    async def _connected(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            self._consumer = offset_consumer(self._settings, group_id=self._group)
            await self._consumer.start()
        return self._consumer


async def _find_empty(
    consumer: AIOKafkaConsumer,
    lagging: Mapping[TopicPartition, Offsets],
    empty: set[TopicPartition],
) -> None:
    """Add to ``empty`` the partitions that can be read to their end without finding a record."""
    consumer.assign(list(lagging))
    for tp, offsets in lagging.items():
        consumer.seek(tp, offsets.committed)
    unknown = set(lagging)
    while unknown:
        found = await consumer.getmany(*unknown, timeout_ms=100)
        unknown -= set(found)
        for tp in list(unknown):
            if await consumer.position(tp) >= lagging[tp].end:
                unknown.remove(tp)
                empty.add(tp)
