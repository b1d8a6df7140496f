"""The comparisons of code on ``/metrics``."""

from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Histogram

from agents.metrics.durations import OF_CALLS

Change = Literal["deployment", "rollback"]


class ComparisonMetrics:
    """What the comparers of a worker do."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.seconds: Final = Histogram(
            "rollguard_comparison_duration_seconds",
            "time until the code of two versions was compared, that in the queue included; "
            "`result` is `compared` or `not_comparable`, `comparer` is the child process that "
            "answered: `quick`, or `thorough` for what takes the quick one too long",
            labelnames=["change", "comparer", "result"],
            buckets=OF_CALLS,
            registry=registry,
        )
        self.kept: Final = Counter(
            "rollguard_comparisons_kept",
            "comparisons that were not made, because the findings were known already",
            labelnames=["change"],
            registry=registry,
        )


class ComparisonReport:
    """Watches one comparer (``agents.comparer.fair_comparer.ComparerWatch``)."""

    def __init__(self, metrics: ComparisonMetrics, change: Change) -> None:
        self._seconds = metrics.seconds
        self._kept = metrics.kept.labels(change)
        self._change = change

    def compared(self, seconds: float, *, is_thorough: bool, is_comparable: bool) -> None:
        """Observe a comparison."""
        comparer = "thorough" if is_thorough else "quick"
        result = "compared" if is_comparable else "not_comparable"
        self._seconds.labels(self._change, comparer, result).observe(seconds)

    def kept(self) -> None:
        """Count findings that were known."""
        self._kept.inc()
