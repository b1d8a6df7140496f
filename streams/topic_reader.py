"""A reader of one topic without a consumer group: to its end, and then of what is added.

It is the client's reader, with what operators need as well, and with a limit for what a compressed
batch may become.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final

from aiokafka import TopicPartition
from aiokafka.structs import ConsumerRecord

from rollguard_client.kafka import reader
from rollguard_client.kafka.reader import Opened, open_consumer
from schemas.errors import Retryable
from schemas.settings import Settings
from streams.unpacking.fetches import limit_fetches_of


class TopicReader(reader.TopicReader):
    """A reader of all partitions of one topic, which ``open_reader`` opens."""

    def __init__(self, topic: str, opened: Opened) -> None:
        super().__init__(opened.consumer, [topic], opened.ends)
        self.begins: Final = {tp.partition: offset for tp, offset in opened.begins.items()}
        """The offset at which reading began, by partition."""

    @property
    def partitions(self) -> int:
        """The number of partitions of the topic."""
        return len(self._ends)

    @property
    def ends(self) -> dict[int, int]:
        """Where each partition ended when the reader was opened."""
        return {tp.partition: end for tp, end in self._ends.items()}

    async def look_up_ends(self) -> None:
        """Take the ends that the partitions have now for those that ``caught_up`` asks for."""
        self._ends |= await self._consumer.end_offsets(list(self._ends))

    async def to_the_end(self, wait_s: float) -> AsyncGenerator[list[ConsumerRecord], None]:
        """Yield the records that the topic held when the reader was opened, some at a time.

        Raises Retryable if no record comes for ``wait_s`` before the end.
        """
        clock = asyncio.get_running_loop().time
        last_came = clock()
        while not await self.caught_up():
            records = await self.poll()
            if records:
                yield records
                # after the yield, because the caller may need long for these records
                last_came = clock()
            elif clock() - last_came > wait_s:
                topic = next(iter(self._ends)).topic
                raise Retryable("Kafka", f"no record of {topic} came for {wait_s:g} s")

    async def read_at(self, partition: int, offset: int, timeout_s: float) -> ConsumerRecord | None:
        """Return the record at this offset; None if it was removed or did not come in time.

        From then on only this partition is read, from this offset on.
        """
        tp = next((each for each in self._ends if each.partition == partition), None)
        if tp is None:
            return None
        self._consumer.assign([tp])
        self._consumer.seek(tp, offset)
        deadline = asyncio.get_running_loop().time() + timeout_s
        while asyncio.get_running_loop().time() < deadline:
            for record in await self.poll():
                return record if record.offset == offset else None
        return None


@asynccontextmanager
async def open_reader(
    settings: Settings,
    topic: str,
    *,
    from_beginning: bool,
    since: datetime | None = None,
    offsets: Mapping[int, int] | None = None,
) -> AsyncIterator[TopicReader]:
    """Open a reader of the topic (full name) at its beginning, or at its end as it is now.

    With ``since``, reading begins at the first record with this Kafka timestamp or a later one; a
    partition that has no such record may yield some older records. With ``offsets``, it begins
    there, or as near as the topic has records; a partition without one is read from its beginning.

    Everything that is published after the block was entered is read. A reader that begins at the
    end may yield some older records first (see ``TopicReader.caught_up``). Partitions that are
    added later are read from their beginning. Raises Retryable if the broker does not answer,
    Misconfigured if the topic is missing.
    """
    begins = None
    if offsets is not None:
        begins = {TopicPartition(topic, number): offset for number, offset in offsets.items()}
    async with open_consumer(
        settings,
        [topic],
        from_beginning=from_beginning,
        since=since,
        offsets=begins,
        prepared=limit_fetches_of,
    ) as opened:
        yield TopicReader(topic, opened)
