"""Misplaced executions: the detector appends copies of them to the partitions of their keys.

A producer with another partitioner than Kafka's default has put them into another partition. The
copies say where they come from (``streams.forwarding``), so that each counts once
(``policy.state.forwarding``), however often they are appended.
"""

from collections.abc import Sequence
from typing import Final

import prometheus_client
import structlog
from aiokafka.errors import TopicAuthorizationFailedError
from aiokafka.structs import ConsumerRecord
from prometheus_client.registry import CollectorRegistry

from agents.dead_letters.box import BadRecord
from schemas.settings import Settings
from streams.driver.outbox import Outbox, RecordCopy
from streams.forwarding import headers_of_copy
from streams.records import RecordValidator
from streams.topics import Topics

log = structlog.get_logger()

_NOT_ALLOWED: Final = (
    "the record lies in a wrong partition, and Kafka does not allow the detector to forward it: "
    "the producer uses another partitioner than murmur2, and the detector may not write to "
    "tool-executions"
)


class ForwardExecutions:
    """Appends copies of misplaced records, and tells the operator of them."""

    def __init__(
        self,
        outbox: Outbox,
        validator: RecordValidator,
        settings: Settings,
        registry: CollectorRegistry,
    ) -> None:
        self._outbox = outbox
        self._validator = validator
        self._topic = Topics.of(settings).executions
        self._told: set[int] = set()
        """The partitions that the log has named."""
        self._metric = prometheus_client.Counter(
            "rollguard_forwarded_executions",
            "executions and later verdicts that lay in a wrong partition, and were forwarded",
            registry=registry,
        )

    async def forward(self, misplaced: Sequence[ConsumerRecord]) -> list[BadRecord]:
        """Append copies of records of one partition; return when all are acknowledged.

        Return those that could not be forwarded, because Kafka does not allow it: all or none.
        """
        if not misplaced:
            return []
        copies: dict[int, list[RecordCopy]] = {}
        for record in misplaced:
            headers = headers_of_copy(record.headers, record.partition, record.offset)
            copies.setdefault(self._validator.partition_of(record), []).append(
                RecordCopy(record.key, record.value, headers)
            )
        try:
            await self._outbox.append(self._topic, copies)
        except TopicAuthorizationFailedError:
            return [BadRecord(record, _NOT_ALLOWED, "not_forwarded") for record in misplaced]
        self._metric.inc(len(misplaced))
        self._tell(misplaced[0])
        return []

    def _tell(self, first: ConsumerRecord) -> None:
        """Log a partition once, because a producer may do the same thousands of times a second."""
        if first.partition not in self._told:
            self._told.add(first.partition)
            log.warning(
                "executions_forwarded",
                partition=first.partition,
                first=first.offset,
                tool=(first.key or b"").decode(errors="replace"),
            )
