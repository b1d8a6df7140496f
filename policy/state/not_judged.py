"""Failures that are not the tool's: they are shown, and judged by nobody."""

from typing import Final, NamedTuple

import msgspec

from schemas.failures.failure_classes import ErrorOrigin

WINDOW_S: Final = 86_400
"""Failures are counted for this time."""
_HOUR_US: Final = 3_600_000_000
_HOURS: Final = 24


class OthersFailures(NamedTuple):
    """How many failures were those of callers and of the environment."""

    caller: int
    environment: int


class NotJudged(msgspec.Struct, array_like=True, gc=False):
    """Failures of the last 24 hours of event time that are not the tool's, by hours.

    An hour counts as a bucket of the rules does: until it ended 24 hours ago. 'Now' is that of the
    rules, or the hour of the newest of these failures if that is later, because they do not move
    'now'. ``counts`` is a flat list with two numbers for each hour, failures of callers and of the
    environment, from the hour ``first`` on, counted from the epoch. These are at most 60 bytes of a
    row, or 160 if there are more than 255 of each in every hour.
    """

    first: int = 0
    counts: list[int] = []

    def add(self, at_us: int, origin: ErrorOrigin, now_us: int | None) -> None:
        """Count one failure. ``now_us`` is 'now' of the rules; None before it is known."""
        hour, counts = at_us // _HOUR_US, self.counts
        oldest = max(hour, self._newest(now_us)) - _HOURS
        if counts and self.first < oldest:
            del counts[: 2 * (oldest - self.first)]
            self.first = oldest
        if hour < oldest:
            return
        if not counts:
            self.first = hour
        elif hour < self.first:
            counts[:0] = [0] * (2 * (self.first - hour))
            self.first = hour
        index = 2 * (hour - self.first)
        counts += [0] * (index + 2 - len(counts))
        counts[index + (origin == "environment")] += 1

    def at(self, now_us: int | None) -> OthersFailures:
        """Return how many count at this 'now' of the rules."""
        since = max(0, 2 * (self._newest(now_us) - _HOURS - self.first))
        return OthersFailures(sum(self.counts[since::2]), sum(self.counts[since + 1 :: 2]))

    def _newest(self, now_us: int | None) -> int:
        last = self.first + len(self.counts) // 2 - 1 if self.counts else 0
        return max(last, (now_us or 0) // _HOUR_US)
