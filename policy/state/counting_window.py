"""A sliding window over event time, counted in buckets."""

from bisect import bisect_left
from typing import Final

import msgspec

from policy.state.counts import Counts

SECOND_US: Final = 1_000_000
"""Microseconds of a second."""


class CountingWindow(msgspec.Struct, array_like=True, gc=False):
    """Executions and failures of the last ``window_s`` seconds, in buckets of ``size_s`` seconds.

    Buckets are aligned to the epoch. A bucket [b, b + size) counts while b + size > now - window;
    ``expired_s`` below is the latest b that does not count any more.
    ``buckets`` is a flat list, the oldest bucket first, three numbers for each bucket: its begin in
    seconds, its executions, its failures. The sums over all buckets are kept beside it.
    """

    executions: int = 0
    failures: int = 0
    buckets: list[int] = []

    def add(self, at_us: int, failed: bool, now_us: int, size_s: int, window_s: int) -> None:
        """Count one execution at ``at_us``, and drop the buckets that are too old at ``now_us``."""
        buckets = self.buckets
        expired_s = now_us // SECOND_US - size_s - window_s
        begin_s = at_us // SECOND_US // size_s * size_s
        if buckets and buckets[-3] == begin_s and buckets[0] > expired_s:
            # Nearly always: the execution belongs to the newest bucket, and no bucket is too old.
            buckets[-2] += 1
            self.executions += 1
            if failed:
                buckets[-1] += 1
                self.failures += 1
            return
        self._drop(expired_s)
        if begin_s > expired_s:
            self._put(begin_s, 1, int(failed))

    def add_successes(self, times_us: list[int], now_us: int, size_s: int, window_s: int) -> None:
        """Do the same as ``add`` for each of these successes, whose times ascend."""
        expired_s = now_us // SECOND_US - size_s - window_s
        self._drop(expired_s)
        counted, end = 0, len(times_us)
        while counted < end:
            first, begin_s = counted, times_us[counted] // SECOND_US // size_s * size_s
            next_us = (begin_s + size_s) * SECOND_US
            counted = end if times_us[-1] < next_us else bisect_left(times_us, next_us, first)
            if begin_s > expired_s:
                self._put(begin_s, counted - first, 0)

    def fewest(self, now_us: int, size_s: int, window_s: int) -> Counts:
        """Return the executions that are left at ``now_us``, and the failures of before.

        It is a bound for a rule about failure rates: while successes are counted up to ``now_us``,
        the window never holds fewer executions than these, and never more failures.
        """
        expired_s = now_us // SECOND_US - size_s - window_s
        executions, buckets = self.executions, self.buckets
        for index in range(0, len(buckets), 3):
            if buckets[index] > expired_s:
                break
            executions -= buckets[index + 1]
        return Counts(executions, self.failures)

    @property
    def counts(self) -> Counts:
        """The sums over the buckets."""
        return Counts(self.executions, self.failures)

    def _drop(self, expired_s: int) -> None:
        buckets = self.buckets
        while buckets and buckets[0] <= expired_s:
            self.executions -= buckets[1]
            self.failures -= buckets[2]
            del buckets[:3]

    def _put(self, begin_s: int, executions: int, failures: int) -> None:
        """Add to the bucket that begins at ``begin_s``; make it if it does not exist."""
        buckets = self.buckets
        end = len(buckets)
        while end and buckets[end - 3] > begin_s:
            end -= 3
        if not end or buckets[end - 3] != begin_s:
            buckets[end:end] = (begin_s, 0, 0)
            end += 3
        buckets[end - 2] += executions
        buckets[end - 1] += failures
        self.executions += executions
        self.failures += failures
