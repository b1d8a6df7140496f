"""The decisions of other tools, each with the settings that are usual for it.

If a tool compares with a control, the executions of the baseline version are its control.
"""

from collections import deque
from collections.abc import Sequence
from math import log, sqrt
from typing import Final

from simulate.worlds.draws import Outcome


class Threshold:
    """A fixed threshold with a minimum volume.

    It rolls back if more than half of the newest 50 executions failed and there are at least 20.
    The baseline version plays no part. It counts executions and not time: within 60 seconds, as
    most tools count, a tool that is executed every five seconds never has 20.
    """

    NEWEST: Final = 50
    LEAST: Final = 20
    RATE: Final = 0.5

    def __init__(self, baseline: Sequence[Outcome]) -> None:
        self._failed: deque[bool] = deque(maxlen=self.NEWEST)
        self._failures = 0

    def judge(self, outcome: Outcome) -> bool:
        """Take in the next execution; return whether the version is rolled back now."""
        if len(self._failed) == self.NEWEST:
            self._failures -= self._failed[0]
        self._failed.append(outcome is not None)
        self._failures += outcome is not None
        number = len(self._failed)
        return number >= self.LEAST and self._failures > self.RATE * number


class Consecutive:
    """Five failures in a row: the default of Envoy's outlier detection (``consecutive_5xx``)."""

    LIMIT: Final = 5

    def __init__(self, baseline: Sequence[Outcome]) -> None:
        self._in_a_row = 0

    def judge(self, outcome: Outcome) -> bool:
        """Take in the next execution; return whether the version is rolled back now."""
        self._in_a_row = self._in_a_row + 1 if outcome is not None else 0
        return self._in_a_row >= self.LIMIT


class _Compared:
    """The executions and successes of the baseline version (before) and of the new one (after)."""

    def __init__(self, baseline: Sequence[Outcome]) -> None:
        self.before, self.good_before = len(baseline), baseline.count(None)
        self.after = self.good_after = 0

    def add(self, outcome: Outcome) -> None:
        """Count an execution of the new version."""
        self.after += 1
        self.good_after += outcome is None


class Repeated:
    """A test that is made for one look, and here is repeated at every failure.

    It compares two proportions, one-sided, by their pooled z at 5 % (Pearson 1900), from ten
    executions of each version on. Without a baseline version it never rolls back.
    """

    LEAST: Final = 10
    Z: Final = 1.6448536269514722
    """The 95 % quantile of the standard normal distribution."""

    def __init__(self, baseline: Sequence[Outcome]) -> None:
        self._seen = _Compared(baseline)

    def judge(self, outcome: Outcome) -> bool:
        """Take in the next execution; return whether the version is rolled back now."""
        seen = self._seen
        seen.add(outcome)
        if outcome is None or min(seen.before, seen.after) < self.LEAST:
            return False
        pooled = (seen.good_before + seen.good_after) / (seen.before + seen.after)
        variance = pooled * (1 - pooled) * (1 / seen.before + 1 / seen.after)
        drop = seen.good_before / seen.before - seen.good_after / seen.after
        return drop > 0 and drop * drop > self.Z * self.Z * variance


class Asymptotic:
    """GrowthBook's sequential test of an absolute difference.

    It has GrowthBook's defaults (alpha 0.05, tuning parameter 5,000) and rolls back if the
    confidence sequence lies below 0.

    Of N executions of both versions together, of which the difference has the standard error s,
    half of the width of the sequence is s √N √(2 (N ρ² + 1) / (N ρ)² · log(√(N ρ² + 1) / α))
    (docs.growthbook.io/statistics/sequential), by equation 9 of Waudby-Smith and others
    (Time-uniform central limit theory and asymptotic confidence sequences, 2021, arXiv 2103.06476);
    ρ is by their equation 161. GrowthBook's control runs at the same time; here it is the past of
    the baseline version.

    Without a baseline version it never rolls back. Nor does it if one of the two variances is 0, as
    in GrowthBook's package gbstats (``_has_zero_variance``). So it never finds a version that never
    succeeded.
    """

    ALPHA: Final = 0.05
    TUNING: Final = 5_000
    RHO2: Final = (-2 * log(ALPHA) + log(-2 * log(ALPHA) + 1)) / TUNING

    def __init__(self, baseline: Sequence[Outcome]) -> None:
        self._seen = _Compared(baseline)

    def judge(self, outcome: Outcome) -> bool:
        """Take in the next execution; return whether the version is rolled back now."""
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
