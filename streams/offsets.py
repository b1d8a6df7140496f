"""What a group has committed and where its partitions end, from the broker itself.

Through a connection of its own: a consumer that is stuck cannot be asked how far it is behind.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaConnectionError, KafkaError

from schemas.errors import Retryable
from schemas.settings import Settings
from streams.access import kafka_options

_LOOK_S: Final = 3.0
"""How long one look for records may take; what is not known then may hold some."""


class Offsets(NamedTuple):
    """One partition: what is committed and where it ends, as offsets of the next record."""

    committed: int
    end: int

    @property
    def lag(self) -> int:
        """Records that are not committed. A topic made anew may end before what was committed."""
        return max(self.end - self.committed, 0)


class GroupOffsets:
    """Asks for the offsets of one group, without being a member of it.

    It connects when it is first asked, and again after :meth:`close`. Raises Retryable, with the
    address, where no broker answers, and with the error that the broker gave. How long an answer
    may take is for the caller to say.
    """

    def __init__(self, settings: Settings, group: str) -> None:
        self._settings = settings
        self._group = group
        self._consumer: AIOKafkaConsumer | None = None

    async def read(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, Offsets]:
        """The offsets of these partitions; where nothing was ever committed, that is 0."""
        wanted = list(places)
        with self._kafka_errors():
            consumer = await self._connected()
            ends = await consumer.end_offsets(wanted)
            committed = await asyncio.gather(*map(consumer.committed, wanted))
        return {
            place: Offsets(offset or 0, ends[place])
            for place, offset in zip(wanted, committed, strict=True)
        }

    async def without_records(
        self, behind: Mapping[TopicPartition, Offsets]
    ) -> set[TopicPartition]:
        """Those of these partitions whose lag certainly holds no record.

        Retention may have removed all of it, and what a producer's transaction leaves at the end
        of a log (a marker) is no record: neither is ever committed.
        """
        # A consumer for this alone: one that is unsubscribed cannot always be stopped again, for
        # aiokafka's fetcher loses its cancellation while it cancels the requests under way.
        consumer = _consumer(self._settings)
        empty: set[TopicPartition] = set()
        with self._kafka_errors():
            try:
                await consumer.start()
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_S):
                        await _find_empty(consumer, behind, empty)
            finally:
                await consumer.stop()
        return empty

    async def close(self) -> None:
        """Give the connection back."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()

    async def _connected(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            self._consumer = _consumer(self._settings, group_id=self._group)
            await self._consumer.start()
        return self._consumer

    @contextmanager
    def _kafka_errors(self) -> Iterator[None]:
        try:
            yield
        except (KafkaError, OSError) as error:
            away = isinstance(error, KafkaConnectionError | OSError)
            said = "does not answer" if away else repr(error)
            brokers = ",".join(self._settings.kafka_brokers)
            raise Retryable("Kafka", f"{brokers} {said}") from error


def _consumer(settings: Settings, **options: Any) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        **kafka_options(settings),
        enable_auto_commit=False,
        auto_offset_reset="earliest",  # of what retention removed, on to what is there
        **options,
    )


async def _find_empty(
    consumer: AIOKafkaConsumer,
    behind: Mapping[TopicPartition, Offsets],
    empty: set[TopicPartition],
) -> None:
    """Add the partitions that can be read to their end without meeting a record."""
    consumer.assign(list(behind))
    for place, offsets in behind.items():
        consumer.seek(place, offsets.committed)
    unknown = set(behind)
    while unknown:
        found = await consumer.getmany(*unknown, timeout_ms=100)
        unknown -= set(found)
        for place in list(unknown):
            if await consumer.position(place) >= behind[place].end:
                unknown.remove(place)
                empty.add(place)
