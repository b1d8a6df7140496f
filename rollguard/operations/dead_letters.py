"""Dead letters as an operator asks for them: each bad record once, by the place where it stood.

The same record may be in `dead-letters` several times, for a role that crashes reads it again.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

from db.replays import RecordPosition, Replay, replays
from rollguard.operations.reads import connection
from schemas.dead_letter import DeadLetter, decoded
from schemas.errors import Rejected, RollguardError
from schemas.settings import Settings
from streams.topic_reader import open_reader
from streams.topics import Topics


@dataclass(frozen=True)
class BadRecord:
    """A record that was rejected: where it stood, by which role and why, when for the first and the
    last time, and in how many dead letters. ``letter`` is the newest one's place.
    """

    place: RecordPosition
    role: str
    error: str
    key: bytes | None
    truncated: bool
    first_rejected_at: datetime
    rejected_at: datetime
    times: int
    dead_letter: RecordPosition

    @property
    def key_text(self) -> str | None:
        """The key where it is text: the name of a tool."""
        return text_of(self.key)


@dataclass
class BadRecords:
    """What `dead-letters` holds: the bad records by their places, and how many of its records are
    no dead letters.
    """

    by_place: dict[RecordPosition, BadRecord] = field(default_factory=dict)
    passed_over: int = 0

    def add(self, dead_letter: RecordPosition, said: DeadLetter) -> None:
        """One more dead letter, which stands at ``letter``."""
        place = RecordPosition(said.topic, said.partition, said.offset)
        found = BadRecord(
            place=place,
            role=said.role,
            error=said.error,
            key=decoded(said.key),
            truncated=said.truncated,
            first_rejected_at=said.rejected_at,
            rejected_at=said.rejected_at,
            times=1,
            dead_letter=dead_letter,
        )
        known = self.by_place.get(place)
        self.by_place[place] = found if known is None else _both(known, found)


def _both(known: BadRecord, found: BadRecord) -> BadRecord:
    newest = found if found.rejected_at >= known.rejected_at else known
    return replace(
        newest,
        times=known.times + 1,
        first_rejected_at=min(known.first_rejected_at, found.first_rejected_at),
    )


class DeadLetterFilter(NamedTuple):
    """Which bad records are asked for; None asks for all. ``topic`` with or without the prefix,
    ``tool`` by the record's key, ``error`` a part of the cause, ``since`` of the last time that it
    was rejected.
    """

    place: RecordPosition | None = None
    topic: str | None = None
    tool: str | None = None
    error: str | None = None
    since: datetime | None = None

    def among(self, found: BadRecords, prefix: str) -> list[BadRecord]:
        """Those that are wanted, the last rejected first."""
        wanted = [record for record in found.by_place.values() if self._wants(record, prefix)]
        return sorted(wanted, key=lambda record: (record.rejected_at, record.place), reverse=True)

    def _wants(self, record: BadRecord, prefix: str) -> bool:
        return (
            (self.place is None or record.place == self.place)
            and (self.topic is None or record.place.topic in (self.topic, prefix + self.topic))
            and (self.tool is None or record.key_text == self.tool)
            and (self.error is None or self.error in record.error)
            and (self.since is None or record.rejected_at >= self.since)
        )


@dataclass(frozen=True)
class Listed:
    """What is shown of the bad records that match; of how many; which of them were replayed; how
    many records of the topic are no dead letters. ``unknown`` says why replays are not known.
    """

    records: list[BadRecord]
    matching: int
    replays: Mapping[RecordPosition, Replay]
    passed_over: int
    unknown: str | None


async def listed(settings: Settings, wanted: DeadLetterFilter, limit: int) -> Listed:
    """At most ``limit`` of those that are wanted, the last rejected first. Postgres need not
    answer.
    """
    found = await bad_records(settings)
    matching = wanted.among(found, settings.topic_prefix)
    shown = matching[:limit]
    try:
        known, unknown = await known_replays(settings, shown), None
    except RollguardError as error:
        known, unknown = {}, str(error)
    return Listed(shown, len(matching), known, found.passed_over, unknown)


async def whole(settings: Settings, place: RecordPosition) -> tuple[Listed, bytes | None]:
    """One bad record, with its value as far as it is kept. Rejected where there is none."""
    found = await listed(settings, DeadLetterFilter(place), 1)
    require_found(place, found.records)
    values = [value async for _, value in values_of(settings, found.records)]
    return found, values[0]


def require_found(place: RecordPosition | None, records: Sequence[BadRecord]) -> None:
    """Rejected where no bad record stood at the place that was asked for."""
    if place is not None and not records:
        raise Rejected(f"no dead letter is about {place}")


def parse_place(text: str) -> RecordPosition:
    """The place that ``TOPIC:PARTITION:OFFSET`` names. Raises ValueError."""
    topic, partition, offset = text.rsplit(":", 2)
    place = RecordPosition(topic, int(partition), int(offset))
    fits = 0 <= place.partition < 2**31 and 0 <= place.offset < 2**63
    if str(place) != text or not topic or not fits:
        raise ValueError(f"{text!r} names no place")
    return place


def text_of(data: bytes | None) -> str | None:
    """What was written as UTF-8; None for anything else."""
    try:
        return None if data is None else data.decode()
    except UnicodeDecodeError:
        return None


async def bad_records(settings: Settings) -> BadRecords:
    """All that `dead-letters` holds now, without the values."""
    found = BadRecords()
    async with aclosing(_letters(settings)) as dead_letters:
        async for at, dead_letter in dead_letters:
            if dead_letter is None:
                found.passed_over += 1
            else:
                found.add(at, dead_letter)
    return found


async def values_of(
    settings: Settings, records: Sequence[BadRecord]
) -> AsyncIterator[tuple[BadRecord, bytes | None]]:
    """These records with their values as far as dead letters keep them (the first 1 MiB), in the
    order of the topic: what has one key comes in the order in which it was rejected.
    """
    waiting = {record.dead_letter: record for record in records}
    if not waiting:
        return
    async with aclosing(_letters(settings)) as dead_letters:
        async for at, dead_letter in dead_letters:
            record = waiting.pop(at, None)
            if record is not None and dead_letter is not None:
                yield record, decoded(dead_letter.value)
            if not waiting:
                return


async def known_replays(
    settings: Settings, records: Sequence[BadRecord]
) -> dict[RecordPosition, Replay]:
    """Which of these were published again already, and when."""
    ours = Topics.of(settings).sources()
    async with connection(settings) as conn:
        return await replays(conn, [each.place for each in records if each.place.topic in ours])


async def _letters(
    settings: Settings,
) -> AsyncGenerator[tuple[RecordPosition, DeadLetter | None], None]:
    """The records of `dead-letters` from the first to what was the last when this began; None for
    one that is no dead letter. Retryable where the broker says nothing for ``wait_s``.
    """
    topic = Topics.of(settings).dead_letters
    async with (
        open_reader(settings, topic, from_beginning=True) as reader,
        aclosing(reader.to_the_end(settings.wait_s)) as fetched,
    ):
        async for records in fetched:
            for record in records:
                yield (
                    RecordPosition(topic, record.partition, record.offset),
                    _letter_of(record.value),
                )


def _letter_of(value: bytes | None) -> DeadLetter | None:
    try:
        dead_letter = DeadLetter.from_bytes(value)
        decoded(dead_letter.key), decoded(dead_letter.value)
    except Rejected:
        return None
    return dead_letter
