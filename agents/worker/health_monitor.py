"""The monitor that takes a sample of a worker every few seconds, to judge its health.

The committed offsets and the ends of the topics come from the broker, through a separate
connection. The assigned partitions come from Faust. If Kafka or Postgres does not answer the
monitor, that is noted as a wait, so that the worker reports it before a record needs that part.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple

from aiokafka import TopicPartition

from agents.worker.lag import Lag
from agents.worker.liveness import Judgement, Liveness, Phase, Sample
from db.postgres.ping import ping
from db.postgres.pool import Pool
from schemas.errors import Retryable, RollguardError
from schemas.settings import Settings
from streams.broker_topics.watch import TopicWatch
from streams.driver.driver import Driver
from streams.offsets import GroupOffsets, Offsets
from streams.partitions import name_of
from streams.topics import group_of
from streams.waits import Waits

INTERVAL_S: Final = 3.0
_ANSWER_S: Final = 8.0
"""How long Kafka or Postgres may take to answer for one sample."""


class PartitionState(NamedTuple):
    """What is known of a partition by which a worker is judged."""

    topic: str
    partition: int
    lag: int
    """How many records are not committed."""
    lag_s: float | None
    """How old the oldest unread one is at most, in seconds; None if that is not known."""
    stalled_s: float
    """For how long nothing was committed although there is lag."""


class HealthMonitor:
    """Judges whether this worker is alive and ready. It may be asked before the worker starts.

    ``role`` names the consumer group. ``common`` is what the process waits for, if it is a member
    of several groups (``agents.worker.health_monitors``).
    """

    def __init__(
        self,
        role: str,
        settings: Settings,
        clock: Callable[[], float] = time.monotonic,
        common: Waits | None = None,
    ) -> None:
        self.waits = Waits(clock, common)
        """The parts that this worker waits for."""
        self._clock = clock
        self._liveness = Liveness()
        self._lag = Lag()
        self._driver: Driver | None = None
        self._topics: TopicWatch | None = None
        self._started = False
        self._wake = asyncio.Event()
        self._watched: list[TopicPartition] = []
        self._pool: Pool | None = None
        self._kafka = self.waits.ticket()
        self._postgres = self.waits.ticket()
        self._offsets = GroupOffsets(settings, group_of(settings, role))
        self._empty: dict[TopicPartition, Offsets] = {}
        self._furthest: dict[TopicPartition, Offsets] = {}
        """The highest offsets that were seen of each partition."""

    def watch(
        self,
        driver: Driver,
        topics: list[str],
        partitions: int,
        pool: Pool | None,
        watch: TopicWatch,
    ) -> None:
        """From now on, take samples of these topics, and of Postgres if there is a pool.

        ``watch`` is told of a topic that was created anew.
        """
        self._driver, self._pool, self._topics = driver, pool, watch
        self._watched = [TopicPartition(name, n) for name in topics for n in range(partitions)]
        self._wake.set()

    def started(self) -> None:
        """Note that the driver runs."""
        self._started = True

    def alive(self) -> Judgement:
        """Return the answer of ``/healthz``."""
        return self._liveness.alive(self.waits.now(), self._clock())

    def ready(self) -> Judgement:
        """Return the answer of ``/readyz``."""
        phase, assigned = self._phase(), len(self._assigned())
        return self._liveness.ready(self.waits.now(), self._clock(), phase, assigned)

    @property
    def phase(self) -> Phase:
        """What the worker does as a member of the group."""
        return self._phase()

    @property
    def joining_s(self) -> float:
        """For how long it starts, rebalances or recovers without progress, in seconds."""
        return self._liveness.joining_s

    def assigned(self) -> int:
        """Return how many partitions of the watched topics are ours."""
        return len(self._assigned())

    def rebalances(self) -> int:
        """Return in how many rebalances this worker took part so far."""
        if self._driver is None or not self._started:
            return 0
        return self._driver.rebalances()

    def partitions(self) -> list[PartitionState]:
        """Return the state of each partition by which the worker is judged, as last sampled.

        Of the partitions of others, only those with lag: there may be thousands.
        """
        now, driver = time.time(), self._driver if self._started else None
        found, ours = [], set(self._assigned())
        for tp, offsets in self._lag.offsets.items():
            if tp not in ours and not offsets.lag:
                continue
            ms = None if driver is None else driver.unread_since_ms(tp)
            lag_s = self._lag.age_s(tp, None if ms is None else ms / 1_000, now)
            stalled_s = self._liveness.stalled_s(name_of(tp))
            found.append(PartitionState(tp.topic, tp.partition, offsets.lag, lag_s, stalled_s))
        return found

    async def run(self) -> None:
        """Take samples until cancelled. An error that it raises is a bug."""
        try:
            while True:
                self._wake.clear()
                await self._sample()
                with suppress(TimeoutError):
                    async with asyncio.timeout(INTERVAL_S):
                        await self._wake.wait()
        finally:
            await self._offsets.close()

    async def _sample(self) -> None:
        known, _ = await asyncio.gather(self._read_kafka(), self._ask_postgres())
        self._lag.observe(known, time.time())
        named = None if known is None else {name_of(tp): each for tp, each in known.items()}
        self._liveness.observe(
            Sample(
                at=self._clock(),
                phase=self._phase(),
                recovered=self._recovered(),
                partitions=named,
                waits=self.waits.now(),
            )
        )

    def _phase(self) -> Phase:
        if self._driver is None or not self._started:
            return "starting"
        if self._driver.is_recovering:
            return "recovering"
        return "rebalancing" if self._driver.is_rebalancing else "running"

    def _recovered(self) -> int:
        if self._driver is None or not self._started:
            return 0
        return self._driver.recovered_records()

    def _assigned(self) -> list[TopicPartition]:
        """Return the partitions of the watched topics that Faust says are ours."""
        if self._driver is None or not self._started:
            return []
        ours = self._driver.assigned()
        return [tp for tp in self._watched if tp in ours]

    async def _read_kafka(self) -> dict[TopicPartition, Offsets] | None:
        """Return the offsets by which the worker is judged; None without an answer.

        A worker without partitions is judged by all of them, because some worker must report lag
        that no worker reduces.
        """
        partitions = self._assigned() or self._watched
        if not partitions:
            return None
        try:
            async with asyncio.timeout(_ANSWER_S):
                # Also those that are not ours any more: a topic that is gone is assigned to nobody.
                every = await self._offsets.read({*partitions, *self._furthest})
                self._notice_new_topics(every)
                found = {tp: every[tp] for tp in partitions}
                for tp in self._assigned():
                    if tp in found:
                        found[tp] = self._of_this_worker(tp, found[tp])
                await self._ignore_lag_without_records(found)
        except TimeoutError:
            self._kafka.failed("Kafka", f"no answer within {_ANSWER_S:.0f} s")
            await self._offsets.close()
            return None
        except Retryable as error:
            self._kafka.failed(error.part, error.cause)
            await self._offsets.close()
            return None
        self._kafka.over()
        return found

    def _notice_new_topics(self, found: dict[TopicPartition, Offsets]) -> None:
        """Tell the watch of a topic that was deleted and created again.

        Such a topic ends earlier than it did, or has more records already, but nothing is committed
        any more, because Kafka deletes the commits with the topic.
        """
        assert self._topics is not None
        for tp, now in found.items():
            known = self._furthest.get(tp, Offsets(0, 0))
            if now.end < known.end or now.committed == 0 < known.committed:
                self._topics.note_created_anew(name_of(tp), known.end, now.end)
            self._furthest[tp] = Offsets(
                max(now.committed, known.committed), max(now.end, known.end)
            )

    def _of_this_worker(self, tp: TopicPartition, read: Offsets) -> Offsets:
        """Return the offsets of a partition, ignoring the commits of another worker.

        If another worker commits for a partition that Faust says is ours, Kafka has assigned the
        partition to that worker and Faust did not notice. That is no progress of this worker.
        """
        assert self._driver is not None
        here = self._driver.committed_here(tp)
        return Offsets(min(here, read.committed), read.end)

    async def _ignore_lag_without_records(self, found: dict[TopicPartition, Offsets]) -> None:
        """Set a partition's lag to 0 if it holds no record. Only suspect partitions are checked."""
        names = self._liveness.suspects()
        suspects = {tp: offsets for tp, offsets in found.items() if name_of(tp) in names}
        if suspects:
            empty = await self._offsets.without_records(suspects)
            self._empty.update((tp, suspects[tp]) for tp in empty)
        for tp, offsets in found.items():
            if self._empty.get(tp) == offsets:
                found[tp] = Offsets(offsets.end, offsets.end)

    async def _ask_postgres(self) -> None:
        if self._pool is None:
            return
        try:
            await ping(self._pool, _ANSWER_S)
        except Retryable as error:
            self._postgres.failed(error.part, error.cause)
        except RollguardError as error:
            self._postgres.failed("Postgres", str(error))
        else:
            self._postgres.over()
