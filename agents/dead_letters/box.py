"""The dead letters of a role: those that are published, and the number of those that are not."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, get_args

import prometheus_client
from prometheus_client.registry import CollectorRegistry

from agents.dead_letters.log import DeadLetterLog
from policy.dead_letters import DeadLetterAllowance, DeadLetterLimits
from schemas.dead_letter import MAX_KEY_BYTES, MAX_VALUE_BYTES
from schemas.errors import Rejected
from schemas.fields import MAX_ERROR_BYTES
from schemas.settings import Settings
from streams.driver.outbox import Outgoing
from streams.records import Record, dead_letter_of
from streams.rejections import Cause, cause_of
from streams.topics import Topics

_OTHER_BYTES: Final = 300
"""About how long a dead letter is besides key, value and error."""


class BadRecord(NamedTuple):
    """A record of some partition, and why it was rejected.

    The error is a text: an exception would keep all that was read of the record.
    """

    record: Record
    error: str
    cause: Cause = "content"

    @classmethod
    def of(cls, record: Record, error: Rejected) -> "BadRecord":
        """Return the bad record that was rejected with this error."""
        return cls(record, str(error), cause_of(error))


class _Known(NamedTuple):
    """The state of one partition."""

    allowance: DeadLetterAllowance
    offset: int
    """The offset of the newest bad record, and its Kafka timestamp."""
    timestamp: int


@dataclass(frozen=True)
class DeadLetterDraft:
    """Dead letters that are to be published, and what is known of their partitions after that."""

    outgoing: list[Outgoing]
    counted: list[tuple[BadRecord, bool]]
    """The bad records that are new, each with whether it has a dead letter."""
    known: Mapping[tuple[str, int], _Known]


class DeadLetterBox:
    """Makes dead letters of bad records, within the limits of each partition.

    First a ``draft`` is made, then its dead letters are published, then it is ``settled``. If the
    publishing fails and the batch is handled again, the same draft is made again. A bad record that
    was settled is neither counted nor published a second time. ``topics`` are those that the role
    reads.
    """

    def __init__(
        self,
        role: str,
        settings: Settings,
        registry: CollectorRegistry,
        topics: Collection[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._role = role
        self._topic = Topics.of(settings).dead_letters
        self._limits = DeadLetterLimits(
            settings.dead_letter_bytes_per_minute, settings.dead_letter_one_in
        )
        self._clock = clock
        self._known: dict[tuple[str, int], _Known] = {}
        self._log = DeadLetterLog()
        self._metric = prometheus_client.Counter(
            "rollguard_bad_records",
            "records that could not be used, what is wrong with them, and whether a dead letter "
            "was published for them",
            labelnames=["topic", "cause", "published"],
            registry=registry,
        )
        for topic in topics:  # so that the first bad record is an increase
            for cause in get_args(Cause):
                for published in ("yes", "no"):
                    self._metric.labels(topic, cause, published)

    def draft(self, bad_records: Iterable[BadRecord]) -> DeadLetterDraft:
        """Decide which of these records, in their order, get a dead letter."""
        now_s = self._clock()
        outgoing: list[Outgoing] = []
        counted: list[tuple[BadRecord, bool]] = []
        known: dict[tuple[str, int], _Known] = {}
        for bad in bad_records:
            record = bad.record
            partition = record.topic, record.partition
            before = known.get(partition) or self._known.get(partition)
            if before is None:
                allowance = DeadLetterAllowance.full(self._limits, now_s)
            elif record.offset <= before.offset and record.timestamp <= before.timestamp:
                continue  # it is read again
            else:
                allowance = before.allowance
            unpublished = allowance.unpublished
            allowance, is_published = allowance.after(_size(bad), now_s, self._limits)
            known[partition] = _Known(allowance, record.offset, record.timestamp)
            counted.append((bad, is_published))
            if is_published:
                dead_letter = dead_letter_of(self._role, record, bad.error, unpublished)
                outgoing.append(Outgoing.dead_letter(self._topic, record.key, dead_letter))
        return DeadLetterDraft(outgoing, counted, known)

    def settle(self, draft: DeadLetterDraft) -> None:
        """Count and log the bad records of a draft whose dead letters are published."""
        self._known |= draft.known
        numbers = Counter(
            (bad.record.topic, bad.cause, published) for bad, published in draft.counted
        )
        for (topic, cause, is_published), number in numbers.items():
            self._metric.labels(topic, cause, "yes" if is_published else "no").inc(number)
        for bad, is_published in draft.counted:
            self._log.add(bad.record, bad.error, is_published)

    def close(self) -> None:
        """Log what was not logged yet."""
        self._log.flush()


def _size(bad: BadRecord) -> int:
    """Return about how long the dead letter is, in bytes."""
    key, value = bad.record.key or b"", bad.record.value or b""
    kept = min(len(key), MAX_KEY_BYTES) + min(len(value), MAX_VALUE_BYTES)
    return _OTHER_BYTES + kept * 4 // 3 + min(len(bad.error), MAX_ERROR_BYTES)
