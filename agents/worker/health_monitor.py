"""Takes the samples by which a worker's health is judged, every few seconds.

What is committed and where the topics end comes from the broker, through a connection of its own;
which partitions are ours, from Faust. Kafka or Postgres not answering here is a wait like any
other: the worker says so before the next record needs it.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from aiokafka import TopicPartition
from faust.types import TP

from agents.worker.liveness import Judgement, Liveness, Phase, Sample
from db.postgres.ping import ping
from db.postgres.pool import Pool
from schemas.errors import Retryable, RollguardError
from schemas.settings import Settings
from streams.offsets import GroupOffsets, Offsets
from streams.topics import group_of
from streams.waits import Waits

INTERVAL_S: Final = 3.0
_ANSWER_S: Final = 8.0
"""How long Kafka, or Postgres, may take to answer one sample."""


class HealthMonitor:
    """Knows whether this worker is alive and ready. Ask it from the moment it is made."""

    def __init__(
        self,
        role: str,
        settings: Settings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.waits = Waits(clock)
        """Where this worker's parts say what they wait for."""
        self._clock = clock
        self._liveness = Liveness()
        self._app: Any = None
        self._started = False
        self._wake = asyncio.Event()
        self._places: list[TopicPartition] = []
        self._pool: Pool | None = None
        self._kafka = self.waits.ticket()
        self._postgres = self.waits.ticket()
        self._offsets = GroupOffsets(settings, group_of(settings, role))
        self._empty: dict[TopicPartition, Offsets] = {}

    def watch(self, app: Any, topics: list[str], partitions: int, pool: Pool | None) -> None:
        """From now on ask the broker for the offsets of these topics, and Postgres, if there is
        a pool, whether it answers.
        """
        self._app, self._pool = app, pool
        self._places = [TopicPartition(name, n) for name in topics for n in range(partitions)]
        self._wake.set()

    def started(self) -> None:
        """The app runs."""
        self._started = True

    def alive(self) -> Judgement:
        """What ``/healthz`` says."""
        return self._liveness.alive(self.waits.now(), self._clock())

    def ready(self) -> Judgement:
        """What ``/readyz`` says."""
        phase, assigned = self._phase(), len(self._assigned())
        return self._liveness.ready(self.waits.now(), self._clock(), phase, assigned)

    async def run(self) -> None:
        """Take samples until cancelled. What it raises is a bug."""
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
        self._liveness.observe(
            Sample(
                at=self._clock(),
                phase=self._phase(),
                recovered=self._recovered(),
                partitions=known,
                waits=self.waits.now(),
            )
        )

    def _phase(self) -> Phase:
        if not self._started:
            return "starting"
        if self._app.in_recovery:
            return "recovering"
        return "rebalancing" if self._app.rebalancing else "running"

    def _recovered(self) -> int:
        if not self._started:
            return 0
        offsets = self._app.tables.recovery.active_offsets.values()
        return sum(offset or 0 for offset in offsets)  # None: not known yet

    def _assigned(self) -> list[TopicPartition]:
        """The partitions of our topics that Faust says are ours."""
        if not self._started:
            return []
        ours = self._app.consumer.assignment()
        return [place for place in self._places if TP(*place) in ours]

    async def _read_kafka(self) -> dict[str, Offsets] | None:
        """The partitions to care for, by name; None while the broker does not say.

        A worker that owns none cares for all: lag that nobody takes is what it is there for.
        """
        places = self._assigned() or self._places
        if not places:
            return None
        try:
            async with asyncio.timeout(_ANSWER_S):
                found = await self._offsets.read(places)
                for place in self._assigned():
                    if place in found:
                        found[place] = self._own(place, found[place])
                await self._pass_over_what_is_empty(found)
        except TimeoutError:
            self._kafka.failed("Kafka", f"no answer within {_ANSWER_S:.0f} s")
            await self._offsets.close()
            return None
        except Retryable as error:
            self._kafka.failed(error.part, error.cause)
            await self._offsets.close()
            return None
        self._kafka.over()
        return {_name(place): each for place, each in found.items()}

    def _own(self, place: TopicPartition, read: Offsets) -> Offsets:
        """What another worker commits of a partition that Faust says is ours is no progress of
        this one: Kafka has given the partition away, and Faust did not notice.
        """
        here = self._app.consumer.committed_here(TP(*place))
        return Offsets(min(here, read.committed), read.end)

    async def _pass_over_what_is_empty(self, found: dict[TopicPartition, Offsets]) -> None:
        """Take lag that holds no record out of what was found; only where nothing moves."""
        names = self._liveness.suspects()
        suspects = {place: offsets for place, offsets in found.items() if _name(place) in names}
        if suspects:
            empty = await self._offsets.without_records(suspects)
            self._empty.update((place, suspects[place]) for place in empty)
        for place, offsets in found.items():
            if self._empty.get(place) == offsets:
                found[place] = Offsets(offsets.end, offsets.end)

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


def _name(place: TopicPartition) -> str:
    return f"{place.topic}[{place.partition}]"
