"""The feed of events: one reader for all who listen, and what each of them has missed."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from agents.worker.http.connections import LimitedConnection, current_connection
from console.events.event import HEARTBEAT, Event, beginning, event_of, outage_sent, sent
from console.events.outages import EVERY_S, Outages, began
from console.events.positions import SOURCES, Place, Positions, Source
from schemas.errors import Retryable
from schemas.settings import Settings
from streams.topic_reader import TopicReader, open_reader
from streams.topics import Topics

log = structlog.get_logger()

MAX_LISTENERS: Final = 500
"""How many streams one console serves at once."""
MAX_WAITING: Final = 256
"""How many events may wait for one listener; with more, the listener is dropped."""
KEPT: Final = 2_000
"""How many events are kept in memory for those who resume."""
_KEPT_FOR: Final = timedelta(minutes=15)
"""How far back the feed reads when it begins."""
_HEARTBEAT_S: Final = 15.0
_AGAIN_S: Final = 5.0
_CATCHING_UP: Final = 4
"""How many listeners may read from Kafka at once what memory does not have any more."""


class Listener:
    """One stream: what waits for it, and its connection."""

    def __init__(self, connection: LimitedConnection | None) -> None:
        self.waiting: asyncio.Queue[bytes | None] = asyncio.Queue(MAX_WAITING)
        self._connection = connection
        self.is_dropped = False

    def give(self, chunk: bytes | None) -> bool:
        """Add what is to be sent; None ends the stream. Return False if there is no room."""
        try:
            self.waiting.put_nowait(chunk)
        except asyncio.QueueFull:
            self.is_dropped = True
            if self._connection is not None:
                self._connection.abort()  # what it was sent and has not read is lost
            return False
        return True


class Feed:
    """Reads the outcomes of rollbacks and of deployments, and hands them to all who listen."""

    def __init__(self, settings: Settings, outages: Outages) -> None:
        self._settings = settings
        topics = Topics.of(settings)
        self._topics: dict[Source, str] = {
            "rollbacks": topics.outcomes,
            "deployments": topics.deployment_outcomes,
        }
        self._outages = outages
        self._listeners: set[Listener] = set()
        self._kept: deque[Event] = deque()
        self._kept_from: dict[Place, int] = {}
        """The smallest offset from which on every event of a partition is in ``_kept``."""
        self._positions: dict[Place, int] = {}
        self._catching_up = asyncio.Semaphore(_CATCHING_UP)
        self._reading: set[Source] = set()
        self._is_closed = False
        self._read_at: dict[Source, datetime] = {}
        self.dropped = 0
        """How many listeners were dropped because they were too slow."""

    @property
    def listeners(self) -> int:
        """How many streams are open."""
        return len(self._listeners)

    @property
    def as_of(self) -> datetime | None:
        """The time up to which all events are in memory; None if they were not read yet."""
        if len(self._read_at) < len(SOURCES):
            return None
        return min(self._read_at.values())

    def newest(self) -> list[Event]:
        """Return the events in memory, the newest first."""
        return list(reversed(self._kept))

    @property
    def position(self) -> str:
        """The id by which a stream is resumed after the newest event."""
        return Positions(dict(self._positions)).text

    async def run(self) -> None:
        """Read until it is cancelled. If Kafka does not answer, try again."""
        await asyncio.gather(*(self._follow(source) for source in SOURCES), self._watch_outages())

    def close(self) -> None:
        """End all streams, and begin no more."""
        self._is_closed = True
        self._give(None)

    def require_room(self) -> None:
        """Raise Retryable if no stream can begin now."""
        if self._is_closed:
            raise Retryable("console", "it is being stopped")
        if len(self._reading) < len(SOURCES):
            raise Retryable("Kafka", "the events are not read yet")
        if len(self._listeners) >= MAX_LISTENERS:
            raise Retryable("console", f"{MAX_LISTENERS} streams of events are open")

    async def stream(self, last: Positions | None) -> AsyncIterator[bytes]:
        """Yield the events from now on, or those after ``last``, as they are sent.

        It ends if the feed is closed, or if the listener is too slow.
        """
        with self._listening() as listener:
            # All of this is of one moment: nothing is awaited in between.
            now, kept = Positions(dict(self._positions)), list(self._kept)
            is_kept = last is None or self._has_all_after(last)
            resumed = now if last is None else self._existing(last, now)
            yield beginning(resumed.text)
            if is_kept:
                for chunk in _missed(kept, resumed):
                    yield chunk
            else:
                async for chunk in self._read_missed(resumed, now):
                    yield chunk
            for outage in self._outages.lasting.values():
                yield outage_sent(began(outage))
            async for chunk in _waiting(listener):
                yield chunk

    def _existing(self, last: Positions, now: Positions) -> Positions:
        """Return the positions without what is not there: a topic may have been made anew."""
        return Positions(
            {place: min(last.of(place), offset) for place, offset in now.offsets.items()}
        )

    def _has_all_after(self, last: Positions) -> bool:
        """Return whether memory has every event after these positions."""
        return all(last.of(place) >= begin for place, begin in self._kept_from.items())

    @contextmanager
    def _listening(self) -> Iterator[Listener]:
        connection = current_connection()
        if connection is not None:
            connection.may_last()
        listener = Listener(connection)
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    async def _follow(self, source: Source) -> None:
        """Read one topic without end."""
        while True:
            try:
                async with open_reader(
                    self._settings,
                    self._topics[source],
                    from_beginning=False,
                    since=datetime.now(UTC) - _KEPT_FOR,
                    offsets=Positions(self._positions).of_source(source) or None,
                ) as reader:
                    self._begin(source, reader)
                    while True:
                        await self._read(source, reader)
            except Exception as error:  # whatever it is: nobody else would read again
                log.warning("events_not_read", topic=self._topics[source], cause=repr(error))
            self._reading.discard(source)
            await asyncio.sleep(_AGAIN_S)

    def _begin(self, source: Source, reader: TopicReader) -> None:
        for partition, offset in reader.begins.items():
            place = (source, partition)
            self._kept_from.setdefault(place, offset)
            self._positions.setdefault(place, offset)

    async def _read(self, source: Source, reader: TopicReader) -> None:
        for record in await reader.poll():
            place = (source, record.partition)
            if record.offset < self._positions.setdefault(place, 0):
                continue  # read before, or before the beginning
            self._kept_from.setdefault(place, record.offset)
            self._positions[place] = record.offset + 1
            event = event_of(source, record.partition, record.offset, record.value)
            if event is not None:
                self._keep(event)
                chunk = sent(event.kind, event.data, Positions(self._positions).text)
                self._give(chunk)
        if source not in self._reading and await reader.caught_up():
            self._reading.add(source)
        if source in self._reading:
            self._read_at[source] = datetime.now(UTC)

    def _keep(self, event: Event) -> None:
        self._kept.append(event)
        if len(self._kept) > KEPT:
            oldest = self._kept.popleft()
            self._kept_from[oldest.place] = oldest.offset + 1

    def _give(self, chunk: bytes | None) -> None:
        slow = [each for each in self._listeners if not each.give(chunk)]
        self._listeners.difference_update(slow)
        self.dropped += len(slow)
        if slow:
            log.warning("event_listeners_dropped", listeners=len(slow))

    async def _watch_outages(self) -> None:
        """Ask the detectors while somebody listens."""
        while True:
            if self._listeners:
                try:
                    for outage in await self._outages.look():
                        self._give(outage_sent(outage))
                except Exception as error:  # a detector of another version may answer anything
                    log.debug("outages_not_known", cause=repr(error))
            await asyncio.sleep(EVERY_S)

    async def _read_missed(self, last: Positions, now: Positions) -> AsyncIterator[bytes]:
        """Yield from Kafka the events after ``last`` and before ``now``."""
        position = last
        async with self._catching_up:
            for source in SOURCES:
                async with open_reader(
                    self._settings,
                    self._topics[source],
                    from_beginning=False,
                    offsets=last.of_source(source),
                ) as reader:
                    async for records in reader.to_the_end(self._settings.wait_s):
                        for record in records:
                            place = (source, record.partition)
                            if not last.of(place) <= record.offset < now.of(place):
                                continue
                            event = event_of(source, *place[1:], record.offset, record.value)
                            position = position.after(place, record.offset)
                            if event is not None:
                                yield sent(event.kind, event.data, position.text)


def _missed(kept: Iterable[Event], last: Positions) -> Iterator[bytes]:
    """Yield the events in memory after ``last``."""
    position = last
    for event in kept:
        if event.offset >= last.of(event.place):
            position = position.after(event.place, event.offset)
            yield sent(event.kind, event.data, position.text)


async def _waiting(listener: Listener) -> AsyncIterator[bytes]:
    """Yield what comes for a listener, and a sign of life now and then."""
    while not listener.is_dropped:
        try:
            async with asyncio.timeout(_HEARTBEAT_S):
                chunk = await listener.waiting.get()
        except TimeoutError:
            chunk = HEARTBEAT
        if chunk is None:
            return
        yield chunk
