"""Histograms of durations, also of those that began by the clock of another machine."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

FROM_1_MS: Final = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1_800.0),
)
"""The buckets of what takes milliseconds if all is well, and minutes while another part is away."""
OF_CALLS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
"""The buckets of calls of another part, which are given up after a minute at the latest."""


class TwoClocks:
    """Observes durations that begin by another machine's clock and end by this one's.

    If the clocks differ, a duration may be negative. It is counted and not observed: a histogram
    with made-up zeros would hide that the other values are wrong, too.
    """

    def __init__(self, registry: CollectorRegistry, *names: str) -> None:
        self._negative = Counter(
            "rollguard_negative_durations",
            "durations that ended before they began, because the clocks of two machines differ; "
            "the histogram of this name does not have them",
            labelnames=["duration"],
            registry=registry,
        )
        for name in names:
            self._negative.labels(name)

    def observe(self, name: str, histogram: Histogram, seconds: float) -> None:
        """Observe a duration, or count it as negative under this name."""
        if seconds < 0:
            self._negative.labels(name).inc()
        else:
            histogram.observe(seconds)
