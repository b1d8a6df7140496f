"""What a worker does: its batches, and the work that it repeats."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, Summary

from agents.metrics.durations import OF_CALLS


class BatchMetrics:
    """The batches of one agent; a worker has at most one agent for each topic and receiver."""

    def __init__(self, of_worker: "WorkMetrics", agent: str) -> None:
        self._seconds = of_worker.batch_seconds.labels(agent)
        self._records = of_worker.batch_records.labels(agent)

    def handled(self, records: int, seconds: float) -> None:
        """Observe a batch whose results are acknowledged and stored."""
        self._records.observe(records)
        self._seconds.observe(seconds)


class WorkMetrics:
    """The metrics of all agents and periodic tasks of a worker."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.batch_seconds: Final = Histogram(
            "rollguard_batch_duration_seconds",
            "time from taking a batch until all its results are acknowledged and stored",
            labelnames=["agent"],
            buckets=OF_CALLS,
            registry=registry,
        )
        self.batch_records: Final = Summary(
            "rollguard_batch_records",
            "batches that were handled, and how many records they had",
            labelnames=["agent"],
            registry=registry,
        )
        self.task_failures: Final = Counter(
            "rollguard_periodic_task_failures",
            "periodic tasks that failed and are tried again: the log says why",
            labelnames=["task"],
            registry=registry,
        )

    def of_agent(self, name: str) -> BatchMetrics:
        """Return the metrics of one agent."""
        return BatchMetrics(self, name)
