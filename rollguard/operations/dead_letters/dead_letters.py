"""Reading the topic `dead-letters`: all bad records, or one of them with its value."""

from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from db.postgres.pool import Connection
from db.replays import RecordPosition, Replay, replays
from rollguard.operations.connection import connection
from rollguard.operations.dead_letters.bad_records import (
    BadRecord,
    BadRecords,
    DeadLetterFilter,
    text_of,
)
from rollguard.operations.dead_letters.cause_texts import cause_of
from rollguard.operations.dead_letters.causes import Causes, causes_of
from schemas.dead_letter import DeadLetter, decoded
from schemas.errors import Missing, Rejected, RollguardError
from schemas.settings import Settings
from streams.topic_reader import open_reader
from streams.topics import Topics


@dataclass(frozen=True)
class BadRecordList:
    """The bad records to show, and what is known of them.

    ``matching`` is how many match, of which ``records`` are the newest. ``replays`` says which of
    them were published again. ``unpublished`` is how many bad records are known only as a number,
    between those that match. ``notes`` says what is not known.
    """

    records: Sequence[BadRecord]
    matching: int
    unpublished: int
    replays: Mapping[RecordPosition, Replay]
    notes: Sequence[str]

    def data_of(self, record: BadRecord) -> dict[str, Any]:
        """Return one of the records as JSON has it, but for times."""
        replay = self.replays.get(record.position)
        return {
            "id": str(record.position),
            **record.position._asdict(),
            "role": record.role,
            "key": record.key_text,
            "error": record.error,
            "cause": cause_of(record.error),
            "rejected_at": record.rejected_at,
            "times": record.times,
            "truncated": record.truncated,
            "unpublished": record.unpublished,
            "replayed_at": replay.at if replay else None,
            "replayed_to": str(replay.to) if replay and replay.to else None,
        }


async def list_bad_records(
    settings: Settings, wanted: DeadLetterFilter, limit: int
) -> BadRecordList:
    """Return at most ``limit`` bad records that match, the last rejected first.

    Postgres does not have to answer: without it only the replays are unknown.
    """
    found = await bad_records(settings)
    matching = wanted.matching(found, settings.topic_prefix)
    shown, notes = matching[:limit], notes_on(found)
    known: Mapping[RecordPosition, Replay] = {}
    try:
        known = await known_replays(settings, shown)
    except RollguardError as error:
        notes.append(without_replays(error))
    unpublished = sum(record.unpublished for record in matching)
    return BadRecordList(shown, len(matching), unpublished, known, notes)


async def list_causes(settings: Settings, wanted: DeadLetterFilter) -> Causes:
    """Return why the bad records that match were rejected, that with the newest one first."""
    found = await bad_records(settings)
    return Causes(causes_of(wanted.matching(found, settings.topic_prefix)), notes_on(found))


def notes_on(found: BadRecords) -> list[str]:
    """Return what a person should know of the topic."""
    number = found.not_dead_letters
    return [f"{number} records are no dead letters"] if number else []


def without_replays(error: RollguardError) -> str:
    """Return what is not known of bad records because of this error."""
    return f"what was replayed is not known: {error}"


@dataclass(frozen=True)
class BadRecordInFull:
    """One bad record in a list of its own, with as much of its value as its dead letter keeps."""

    listed: BadRecordList
    value: bytes | None

    def data(self) -> dict[str, Any]:
        """Return it as JSON has it, but for times: key and value as text, and in base64."""
        [record] = self.listed.records
        return (
            self.listed.data_of(record)
            | {"first_rejected_at": record.first_rejected_at}
            | _bytes_data("key", record.key)
            | _bytes_data("value", self.value)
        )


async def bad_record_with_value(settings: Settings, position: RecordPosition) -> BadRecordInFull:
    """Return one bad record with its value. Missing if no dead letter is about this position."""
    found = await list_bad_records(settings, DeadLetterFilter(position), 1)
    require_found(position, found.records)
    return BadRecordInFull(found, await value_of(settings, found.records[0]))


async def value_of(settings: Settings, record: BadRecord) -> bytes | None:
    """Return as much of the value of a record as its newest dead letter keeps."""
    topic, partition, offset = record.dead_letter
    async with open_reader(settings, topic, from_beginning=False) as reader:
        found = await reader.read_at(partition, offset, settings.wait_s)
    dead_letter = None if found is None else _dead_letter_of(found.value)
    return None if dead_letter is None else decoded(dead_letter.value)


def _bytes_data(name: str, data: bytes | None) -> dict[str, str | None]:
    return {
        name: text_of(data),
        f"{name}_base64": None if data is None else b64encode(data).decode(),
    }


def require_found(position: RecordPosition | None, records: Sequence[BadRecord]) -> None:
    """Raise Missing if a position was asked for and no bad record has it."""
    if position is not None and not records:
        raise Missing(f"no dead letter is about {position}; `rollguard dead-letters` lists all ids")


async def bad_records(settings: Settings) -> BadRecords:
    """Return all bad records that `dead-letters` names now, without their values."""
    found = BadRecords()
    async with aclosing(_dead_letters(settings)) as dead_letters:
        async for at, dead_letter in dead_letters:
            if dead_letter is None:
                found.not_dead_letters += 1
            else:
                found.add(at, dead_letter)
    return found


async def values_of(
    settings: Settings, records: Sequence[BadRecord]
) -> AsyncIterator[tuple[BadRecord, bytes | None]]:
    """Yield these records with as much of their values as dead letters keep (the first 64 KiB).

    They come in the order of the topic, so records with the same key come in the order in which
    they were rejected.
    """
    waiting = {record.dead_letter: record for record in records}
    if not waiting:
        return
    async with aclosing(_dead_letters(settings)) as dead_letters:
        async for at, dead_letter in dead_letters:
            record = waiting.pop(at, None)
            if record is not None and dead_letter is not None:
                yield record, decoded(dead_letter.value)
            if not waiting:
                return


async def known_replays(
    settings: Settings, records: Sequence[BadRecord], given: Connection | None = None
) -> dict[RecordPosition, Replay]:
    """Return the replays of those records that were published again already."""
    ours = Topics.of(settings).sources()
    positions = [each.position for each in records if each.position.topic in ours]
    async with connection(given or settings) as conn:
        return await replays(conn, positions)


async def _dead_letters(
    settings: Settings,
) -> AsyncGenerator[tuple[RecordPosition, DeadLetter | None], None]:
    """Yield every record of `dead-letters`, up to the one that was the last at the start.

    A record that is no dead letter comes as None. Retryable if the broker says nothing for
    ``wait_s`` seconds.
    """
    topic = Topics.of(settings).dead_letters
    async with (
        open_reader(settings, topic, from_beginning=True) as reader,
        aclosing(reader.to_the_end(settings.wait_s)) as fetched,
    ):
        async for records in fetched:
            for record in records:
                at = RecordPosition(topic, record.partition, record.offset)
                yield at, _dead_letter_of(record.value)


def _dead_letter_of(value: bytes | None) -> DeadLetter | None:
    try:
        dead_letter = DeadLetter.from_bytes(value)
        decoded(dead_letter.key), decoded(dead_letter.value)
    except Rejected:
        return None
    return dead_letter
