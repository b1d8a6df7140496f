"""The scheduler by which Faust hands over records: each fetch of a partition as one batch."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from faust.transport.utils import DefaultSchedulingStrategy
from faust.types import TP

from streams.driver.batch import Batch, BatchRecord


class BatchScheduler(DefaultSchedulingStrategy):
    """Faust's public ``ConsumerScheduler``, which hands over each fetch of a partition whole.

    Batches of source topics go to the agent, batches of changelogs to the table that recovers.
    """

    source_topics: ClassVar[frozenset[str]] = frozenset()
    fetch_wait_ms: ClassVar[int] = 500

    def iterate(self, records: Mapping[TP, list[Batch]]) -> Iterator[tuple[TP, Any]]:
        """Yield each batch in the shape of one record."""
        for tp, batches in records.items():
            for batch in batches:
                yield tp, BatchRecord(batch)
