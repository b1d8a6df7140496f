"""Outages, and what was known of them at each record of a part of the log."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple


class Outage(NamedTuple):
    """A time in which many tools of a partition failed at once.

    Times are the broker's, in milliseconds; ``end_ms`` is None while the outage lasts.
    """

    begin_ms: int
    end_ms: int | None

    def contains(self, at_ms: int) -> bool:
        """Return whether a record of this time belongs to the outage."""
        return self.begin_ms <= at_ms and (self.end_ms is None or at_ms <= self.end_ms)


def is_lasting(outages: Sequence[Outage]) -> bool:
    """Return whether the last of these outages is not over."""
    return bool(outages) and outages[-1].end_ms is None


class OutageTimeline(NamedTuple):
    """The known outages at each record of a part of the log."""

    changes: tuple[int, ...] = ()
    """Offsets from which on the knowledge changed, in ascending order."""
    known: tuple[tuple[Outage, ...], ...] = ((),)
    """The outages known before the first change, and after each change: one more than there are
    ``changes``. The newest outage stands last."""
    deferred: frozenset[int] = frozenset()
    """Offsets of failures at which no decision is made yet, because so many other tools fail that
    an outage is suspected."""

    def outages_at(self, offset: int) -> tuple[Outage, ...]:
        """Return the outages that were known at the record with this offset."""
        return self.known[bisect_right(self.changes, offset)]

    @property
    def is_without_outage(self) -> bool:
        """Whether no outage begins, ends or lasts in this part of the log."""
        return not self.changes and not is_lasting(self.known[0])


def changes_of(timeline: OutageTimeline) -> Iterator[Outage]:
    """Yield each outage at its beginning, without an end, and at its end, in their order."""
    for before, after in pairwise(timeline.known):
        if is_lasting(after) != is_lasting(before):
            yield after[-1]


NO_OUTAGE: Final = OutageTimeline()
"""The timeline of a log in which no outage is known."""
