"""A histogram of durations or costs that knows its upper tail, and what it leaves as a baseline.

Numbers are counted in *bins*: eight for each doubling, so a bin is at most 12.5 % wide. Of the bins
with something in them only the ``MOST_BINS`` highest are kept one by one. So the histogram is
small, and it is the same in whatever order the numbers came.
"""

from bisect import bisect_right
from collections.abc import Sequence
from math import ldexp
from typing import Final

import msgspec

MOST_BINS: Final = 10
"""At most so many bins are kept one by one."""
EDGES: Final = tuple(
    ldexp(1 + eighth / 8, power) for power in range(-20, 40) for eighth in range(8)
)
"""Where a bin ends and the next one begins, exact in binary. The first and the last bin hold
whatever is smaller or larger."""
_TAIL: Final = 20
"""The tail is at most one of so many numbers: what lies above the 95 % quantile."""


def bin_of(number: float) -> int:
    """Return the bin of a number: how many edges are at most as large as it."""
    return bisect_right(EDGES, number)


class Tail(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """How many numbers of a version lie above a threshold that is near their 95 % quantile."""

    threshold: int
    """The bin that holds the quantile: a number lies above it if its bin is a higher one."""
    counted: int
    above: int

    @property
    def limit(self) -> float | None:
        """The number from which on the tail begins; None for the last bin, which has no end."""
        return EDGES[self.threshold] if self.threshold < len(EDGES) else None


class Histogram(msgspec.Struct, array_like=True, gc=False):
    """How many numbers lie in each of the highest bins, and how many below them."""

    bins: dict[int, int] = {}
    below: int = 0

    @property
    def counted(self) -> int:
        """How many numbers there are."""
        return self.below + sum(self.bins.values())

    def add(self, found: Sequence[int]) -> None:
        """Count numbers, given by their bins."""
        bins = self.bins
        high = found
        if len(bins) >= MOST_BINS:
            lowest = min(bins)
            high = [each for each in found if each >= lowest]
            self.below += len(found) - len(high)
        for each in high:
            bins[each] = bins.get(each, 0) + 1
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
