"""The typed interface between a role and Faust; Faust's own objects do not leave this folder."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Self, cast

import faust
from aiokafka import TopicPartition

from schemas.settings import Settings
from streams.driver.app import create_app
from streams.driver.batch import Batch
from streams.driver.consumer import BatchConsumer
from streams.driver.producer import Producer
from streams.driver.source_topic import source_topic
from streams.suspend_watchdog import SuspendWatchdog

_CRASH_CHECK_S: Final = 0.2


class Driver:
    """Reads the topics of one role in batches, as a member of its consumer group.

    Nothing connects before ``start``. Methods about partitions may be called after it.
    """

    def __init__(self, app: faust.App) -> None:
        self.app: Final = app
        """Faust's app; only the modules of this folder use it."""

    @classmethod
    def of_role(
        cls,
        group: str,
        settings: Settings,
        source_topics: list[str],
        partitions: int,
        *,
        watchdog: SuspendWatchdog | None = None,
        url: str | None = None,
        max_poll_records: int | None = None,
    ) -> Self:
        """Return the driver of a group of a role; see ``streams.driver.app.create_app``."""
        return cls(
            create_app(
                group,
                settings,
                source_topics,
                partitions,
                watchdog=watchdog,
                url=url,
                max_poll_records=max_poll_records,
            )
        )

    def read(
        self, name: str, topics: list[str], take: Callable[[Batch], Awaitable[None]], about: str
    ) -> None:
        """Hand each batch of these topics to ``take``, one at a time. To be called before start.

        ``take`` must not raise: Faust would go on with the next batch. ``name`` and ``about`` are
        the name and the description of Faust's agent.
        """

        async def agent(batches: Any) -> None:
            async for batch in batches:
                await take(batch)
                batch.release()

        agent.__name__ = name.replace("-", "_")
        agent.__doc__ = about
        self.app.agent(source_topic(self.app, topics), name=name, concurrency=1)(agent)

    async def start(self) -> None:
        """Join the group. Raises aiokafka's KafkaError; a driver cannot be started twice."""
        await self.app.start()

    async def stop(self) -> None:
        """Commit what is done and leave the group."""
        await self.app.stop()

    async def wait_for_crash(self) -> BaseException:
        """Wait until Faust itself gives up, and return the reason."""
        while not self.app.crashed and not self.app.should_stop:
            await asyncio.sleep(_CRASH_CHECK_S)
        return self.app.crash_reason or RuntimeError("the Faust app stopped by itself")

    @property
    def is_rebalancing(self) -> bool:
        """Whether the group is assigning its partitions anew."""
        return bool(self.app.rebalancing)

    @property
    def is_recovering(self) -> bool:
        """Whether the table is being read from its changelog."""
        return bool(self.app.in_recovery)

    def assigned(self) -> frozenset[TopicPartition]:
        """Return the partitions that Faust says are ours, those of the changelog included."""
        return frozenset(TopicPartition(*tp) for tp in self._consumer.assignment())

    def has_rows_of(self, topic: str, partition: int) -> bool:
        """Return whether the partition is ours, and its rows are recovered."""
        return (
            not self.is_rebalancing
            and not self.is_recovering
            and TopicPartition(topic, partition) in self.assigned()
        )

    def owns(self, batch: Batch) -> bool:
        """Return whether the partition was ours without a break since the batch was fetched."""
        return self._consumer.owns(batch)

    def take(self, batch: Batch) -> bool:
        """Return whether to handle a batch; if not, the partition's owner reads it again."""
        return self._consumer.take(batch)

    def mark_done(self, batch: Batch) -> None:
        """Have the offset after the batch committed."""
        self._consumer.mark_done(batch)

    def committed_here(self, tp: TopicPartition) -> int:
        """Return the offset that this worker itself has committed, or has started from."""
        return self._consumer.committed_here(tp)

    def unread_since_ms(self, tp: TopicPartition) -> int | None:
        """Return the Kafka timestamp after which a record is not handled yet; None if unknown."""
        return self._consumer.unread_since_ms(tp)

    def rebalances(self) -> int:
        """Return how often the group took partitions away from this worker so far."""
        return self._consumer.assignments

    def end_of(self, tp: TopicPartition) -> int | None:
        """Return the offset after the partition's last record; None if it is not known."""
        end: int | None = self._consumer.highwater(tp)
        return end

    async def ends_of(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Ask the broker for the offset after the last committed record of any partitions.

        Raises aiokafka's KafkaError.
        """
        found: Mapping[TopicPartition, int] = await self._consumer.highwaters(*partitions)
        return found

    def recovered_records(self) -> int:
        """Return a number that grows with each record that is read from the changelog."""
        tables: Any = self.app.tables
        offsets = tables.recovery.active_offsets.values()
        return sum(offset or 0 for offset in offsets)  # an offset is None until it is known

    def owner_of(self, changelog: str, partition: int) -> str | None:
        """Return the address of the worker that owns this partition of a table; None if unknown."""
        for url, topics in self.app.assignor.tables_metadata().items():
            if partition in topics.get(changelog, ()):
                return str(url).rstrip("/")
        return None

    @property
    def producer(self) -> Producer:
        """The producer of the role."""
        return cast(Producer, self.app.producer)

    @property
    def _consumer(self) -> BatchConsumer:
        return cast(BatchConsumer, self.app.consumer)
