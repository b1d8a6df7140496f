"""What a recorder has read and stored, on ``/metrics``."""

from collections.abc import Collection
from typing import Final, get_args

from prometheus_client import CollectorRegistry, Counter

from db.executions.recording import LogEntry
from schemas.execution_entry import ExecutionEntry
from schemas.failures.failure_classes import ErrorOrigin


class RecordReport:
    """Counts the executions of a recorder. A batch that is read again is counted as read again."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._read: Final = Counter(
            "rollguard_recorder_read_executions",
            "executions of batches that are in Postgres now: `success`, or whose failure it is "
            "(`tool`, `caller`, `environment`)",
            labelnames=["result"],
            registry=registry,
        )
        for each in ("success", *get_args(ErrorOrigin)):
            self._read.labels(each)
        self._new: Final = Counter(
            "rollguard_recorder_stored_executions",
            "executions that were stored: those that were stored before are not among them",
            registry=registry,
        )

    def recorded(self, entries: Collection[LogEntry], new: int) -> None:
        """Count the entries of a batch of which so many executions were new."""
        self._new.inc(new)
        numbers: dict[str, int] = {}
        for _, entry, origin in entries:
            if isinstance(entry, ExecutionEntry):
                result: str = origin or "success"
                numbers[result] = numbers.get(result, 0) + 1
        for each, number in numbers.items():
            self._read.labels(each).inc(number)
