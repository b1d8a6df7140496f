"""Bad records: what the topic `dead-letters` says of each, and which of them a person asks for.

A record is named by its position: its topic, partition and offset. It may have several dead
letters, because a role that crashed reads it again.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, NamedTuple

from db.replays import RecordPosition
from rollguard.operations.dead_letters.cause_texts import cause_of
from schemas.dead_letter import DeadLetter, decoded

_MOST_CHARACTERS: Final = 4_000


@dataclass(frozen=True)
class BadRecord:
    """A record that was rejected: by which role, why, and how often.

    ``position`` is the record's own, ``dead_letter`` that of its newest dead letter. ``error``,
    ``role`` and ``key`` are what the newest one says. ``truncated`` if the dead letter holds only a
    part of the record's value.
    """

    position: RecordPosition
    role: str
    error: str
    key: bytes | None
    truncated: bool
    first_rejected_at: datetime
    rejected_at: datetime
    times: int
    dead_letter: RecordPosition
    unpublished: int = 0
    """How many bad records before it have no dead letter, because too many came at once."""

    @property
    def key_text(self) -> str | None:
        """The key if it is text: the name of a tool."""
        return text_of(self.key)


@dataclass
class BadRecords:
    """All bad records by their positions, and how many records of `dead-letters` are not readable.

    ``not_dead_letters`` counts the records of the topic that are no dead letters.
    """

    by_position: dict[RecordPosition, BadRecord] = field(default_factory=dict)
    not_dead_letters: int = 0

    def add(self, at: RecordPosition, dead_letter: DeadLetter) -> None:
        """Add one dead letter, which has the position ``at`` in `dead-letters`."""
        position = RecordPosition(dead_letter.topic, dead_letter.partition, dead_letter.offset)
        found = BadRecord(
            position=position,
            role=dead_letter.role,
            error=dead_letter.error,
            key=decoded(dead_letter.key),
            truncated=dead_letter.truncated,
            first_rejected_at=dead_letter.rejected_at,
            rejected_at=dead_letter.rejected_at,
            times=1,
            dead_letter=at,
            unpublished=dead_letter.unpublished or 0,
        )
        known = self.by_position.get(position)
        self.by_position[position] = found if known is None else _merged(known, found)


def _merged(known: BadRecord, found: BadRecord) -> BadRecord:
    newest = found if found.rejected_at >= known.rejected_at else known
    is_told = {known.role, found.role} == {"notifier"}
    return replace(
        newest,
        error=_both(known.error, found.error) if is_told else newest.error,
        times=known.times + 1,
        first_rejected_at=min(known.first_rejected_at, found.first_rejected_at),
        unpublished=max(known.unpublished, found.unpublished),
    )


def _both(first: str, second: str) -> str:
    """Return both errors: each receiver that was not told of a record has a dead letter of it."""
    if second in first or len(first) > _MOST_CHARACTERS:
        return first
    return f"{first}; {second}"


class DeadLetterFilter(NamedTuple):
    """Which bad records are asked for; a field that is None selects all.

    ``topic`` may be given with or without the prefix. ``tool`` is the record's key, ``error`` a
    part of the error. ``since`` is the earliest time of the last rejection. ``cause`` is a whole
    cause, as ``cause_of`` returns it.
    """

    position: RecordPosition | None = None
    topic: str | None = None
    tool: str | None = None
    error: str | None = None
    since: datetime | None = None
    cause: str | None = None

    def matching(self, found: BadRecords, prefix: str) -> list[BadRecord]:
        """Return the bad records that match, the last rejected first."""
        matching = [record for record in found.by_position.values() if self._wants(record, prefix)]
        return sorted(
            matching, key=lambda record: (record.rejected_at, record.position), reverse=True
        )

    def _wants(self, record: BadRecord, prefix: str) -> bool:
        topic = record.position.topic
        return (
            (self.position is None or record.position == self.position)
            and (self.topic is None or topic in (self.topic, prefix + self.topic))
            and (self.tool is None or record.key_text == self.tool)
            and (self.error is None or self.error in record.error)
            and (self.since is None or record.rejected_at >= self.since)
            and (self.cause is None or cause_of(record.error) == self.cause)
        )


def parse_position(text: str) -> RecordPosition:
    """Return the position that ``TOPIC:PARTITION:OFFSET`` names; ValueError for any other text."""
    topic, partition, offset = text.rsplit(":", 2)
    position = RecordPosition(topic, int(partition), int(offset))
    fits = 0 <= position.partition < 2**31 and 0 <= position.offset < 2**63
    if str(position) != text or not topic or not fits:
        raise ValueError(f"{text!r} is not TOPIC:PARTITION:OFFSET")
    return position


def text_of(data: bytes | None) -> str | None:
    """Return the text if the bytes are UTF-8; None for anything else."""
    try:
        return None if data is None else data.decode()
    except UnicodeDecodeError:
        return None
