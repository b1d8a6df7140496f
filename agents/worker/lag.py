"""How far a group is behind, in records and in seconds. Pure.

Nobody reads an unread record only to learn how old it is. Records of a partition are in the order
of their times: so the oldest unread one is not older than the last one that was handled, nor older
than the last moment at which there was none.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aiokafka import TopicPartition

from streams.offsets import Offsets


@dataclass
class Lag:
    """The lag of the partitions by which a worker is judged.

    All times are in seconds since the epoch.
    """

    offsets: Mapping[TopicPartition, Offsets] = field(default_factory=dict)
    """As they were found last; empty if the broker did not answer."""
    _none_at: dict[TopicPartition, float] = field(default_factory=dict)
    """When a partition last had no lag."""

    def observe(self, offsets: Mapping[TopicPartition, Offsets] | None, now: float) -> None:
        """Take note of the offsets at this time; None if the broker did not answer."""
        self.offsets = offsets or {}
        for tp, found in self.offsets.items():
            if not found.lag:
                self._none_at[tp] = now

    def age_s(self, tp: TopicPartition, unread_since: float | None, now: float) -> float | None:
        """Return how old the oldest unread record is at most; 0 if there is none.

        ``unread_since`` is the Kafka timestamp of the last record that was handled, or of the first
        one of those that are being handled, if it is known. None if nothing is known.
        """
        if not self.offsets[tp].lag:
            return 0.0
        known = [each for each in (unread_since, self._none_at.get(tp)) if each is not None]
        return max(0.0, now - max(known)) if known else None
