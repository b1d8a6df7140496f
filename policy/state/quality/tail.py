"""A histogram of durations or costs that knows its upper tail, and what it leaves as a baseline.

Numbers are counted in *bins*: eight for each doubling, so a bin is at most 12.5 % wide. Of the bins
with something in them only the ``MOST_BINS`` highest are kept one by one. So the histogram is
small, it is the same in whatever order the numbers came, and most numbers are looked at only once:
they lie below the bins that are kept.
"""

from bisect import bisect_right
from collections.abc import Sequence
from math import inf, ldexp
from typing import Final

import msgspec

MOST_BINS: Final = 10
"""At most so many bins are kept one by one."""
EDGES: Final = tuple(
    ldexp(1 + eighth / 8, power) for power in range(-20, 40) for eighth in range(8)
)
"""Where a bin ends and the next one begins, exact in binary. The first and the last bin hold
whatever is smaller or larger."""
LOWEST_BIN: Final = -176
"""Bins are numbered from here, so that the bins of usual durations in milliseconds are numbers that
take one byte in a row: those from -32 to 127, which are 0.25 ms to 4 minutes."""
_BOUNDS: Final = (0.0, *EDGES, inf)
"""Where each bin begins, the lowest first; and where the last one ends."""
_TAIL: Final = 20
"""The tail is at most one of so many numbers: what lies above the 95 % quantile."""


def bin_of(number: float) -> int:
    """Return the bin of a number that is at least 0."""
    return bisect_right(EDGES, number) + LOWEST_BIN


class Tail(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """How many numbers of a version lie above a threshold that is near their 95 % quantile."""

    threshold: int
    """The bin that holds the quantile: a number lies above it if its bin is a higher one."""
    counted: int
    above: int

    @property
    def limit(self) -> float:
        """The number from which on the tail begins; infinite for the last bin."""
        return _BOUNDS[self.threshold - LOWEST_BIN + 1]


class Histogram(msgspec.Struct, array_like=True, gc=False):
    """How many numbers lie in each of the highest bins, and how many below them."""

    bins: dict[int, int] = {}
    below: int = 0

    @property
    def counted(self) -> int:
        """How many numbers there are."""
        return self.below + sum(self.bins.values())

    def add(self, numbers: Sequence[float]) -> None:
        """Count numbers that are at least 0."""
        bins, high = self.bins, numbers
        if len(bins) >= MOST_BINS:
            lowest = _BOUNDS[min(bins) - LOWEST_BIN]
            high = [number for number in numbers if number >= lowest]
            self.below += len(numbers) - len(high)
        for number in high:
            found = bin_of(number)
            bins[found] = bins.get(found, 0) + 1
            if len(bins) > MOST_BINS:
                self.below += bins.pop(min(bins))

    def tail(self) -> Tail | None:
        """Return the tail: at most one number of twenty, and as many as that as bins allow.

        None without numbers. If all bins that are kept hold less than a twentieth, they are the
        tail.
        """
        if not self.bins:
            return None
        counted, above, lowest = self.counted, 0, 0
        for lowest in sorted(self.bins, reverse=True):
            if (above + self.bins[lowest]) * _TAIL > counted:
                return Tail(lowest, counted, above)
            above += self.bins[lowest]
        return Tail(lowest - 1, counted, above)
