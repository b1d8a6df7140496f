"""What other tools do, each as it is mostly set up, with what they have of the target as their
control.
"""

from collections import deque
from collections.abc import Sequence
from math import log, sqrt
from typing import Final

from simulate.worlds.draws import Outcome


class Threshold:
    """A fixed threshold with a minimum volume: more than half of the newest 50 failed, of 20 at
    least. The target plays no part.

    Counted by executions: within 60 seconds, as most tools count, a tool that runs every five
    seconds never has 20.
    """

    NEWEST: Final = 50
    LEAST: Final = 20
    RATE: Final = 0.5

    def __init__(self, target: Sequence[Outcome]) -> None:
        self._failed: deque[bool] = deque(maxlen=self.NEWEST)
        self._failures = 0

    def judge(self, outcome: Outcome) -> bool:
        if len(self._failed) == self.NEWEST:
            self._failures -= self._failed[0]
        self._failed.append(outcome is not None)
        self._failures += outcome is not None
        number = len(self._failed)
        return number >= self.LEAST and self._failures > self.RATE * number


class Consecutive:
    """Five failures in a row, as Envoy's outlier detection has it by default
    (``consecutive_5xx``).
    """

    LIMIT: Final = 5

    def __init__(self, target: Sequence[Outcome]) -> None:
        self._in_a_row = 0

    def judge(self, outcome: Outcome) -> bool:
        self._in_a_row = self._in_a_row + 1 if outcome is not None else 0
        return self._in_a_row >= self.LIMIT


class _Compared:
    """Of target and version, how many executions and how many successes."""

    def __init__(self, target: Sequence[Outcome]) -> None:
        self.before, self.good_before = len(target), target.count(None)
        self.after = self.good_after = 0

    def add(self, outcome: Outcome) -> None:
        self.after += 1
        self.good_after += outcome is None


class Repeated:
    """A test made for one look, at every look: two proportions, one-sided, by their pooled z at 5 %
    (Pearson 1900), from ten executions of each on. Without a target it says nothing.
    """

    LEAST: Final = 10
    Z: Final = 1.6448536269514722
    """The 95 % quantile of the standard normal distribution."""

    def __init__(self, target: Sequence[Outcome]) -> None:
        self._seen = _Compared(target)

    def judge(self, outcome: Outcome) -> bool:
        seen = self._seen
        seen.add(outcome)
        if outcome is None or min(seen.before, seen.after) < self.LEAST:
            return False
        pooled = (seen.good_before + seen.good_after) / (seen.before + seen.after)
        variance = pooled * (1 - pooled) * (1 / seen.before + 1 / seen.after)
        drop = seen.good_before / seen.before - seen.good_after / seen.after
        return drop > 0 and drop * drop > self.Z * self.Z * variance


class Asymptotic:
    """GrowthBook's sequential test of an absolute difference, at its defaults (alpha 0.05, tuning
    parameter 5,000): rolled back where the confidence sequence lies below 0.

    docs.growthbook.io/statistics/sequential: of N executions of both together, of which the
    difference has the standard error s, half of its width is
    s √N √(2 (N ρ² + 1) / (N ρ)² · log(√(N ρ² + 1) / α)), by equation 9 of Waudby-Smith and others
    (Time-uniform central limit theory and asymptotic confidence sequences, 2021, arXiv 2103.06476),
    ρ by equation 161. Its control runs at the same time, here it is the target's past. Without one
    it says nothing, and neither where one of the two variances is 0, as in its package gbstats
    (``_has_zero_variance``): so a version that never succeeded is never found.
    """

    ALPHA: Final = 0.05
    TUNING: Final = 5_000
    RHO2: Final = (-2 * log(ALPHA) + log(-2 * log(ALPHA) + 1)) / TUNING

    def __init__(self, target: Sequence[Outcome]) -> None:
        self._seen = _Compared(target)

    def judge(self, outcome: Outcome) -> bool:
        seen = self._seen
        seen.add(outcome)
        if outcome is None or not 0 < seen.good_before < seen.before or not seen.good_after:
            return False
        before, after = seen.good_before / seen.before, seen.good_after / seen.after
        if after >= before:
            return False
        variance = before * (1 - before) / seen.before + after * (1 - after) / seen.after
        number = seen.before + seen.after
        scaled = number * self.RHO2 + 1
        width2 = 2 * scaled / (number * self.RHO2) * log(sqrt(scaled) / self.ALPHA)
        return (before - after) ** 2 > variance * width2
