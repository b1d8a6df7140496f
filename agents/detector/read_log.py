"""The records of a batch, read and sorted by what becomes of them."""

import asyncio
from typing import Final, NamedTuple

from aiokafka.structs import ConsumerRecord

from agents.dead_letters.box import BadRecord
from agents.detector.source_ends import SourceEnds
from policy.state.log import LogRecord
from rollguard_client.traces.context import PARENT
from schemas.errors import Rejected
from streams.broker_topics.watch import TopicWatch
from streams.driver.batch import Batch
from streams.driver.table import WindowTable
from streams.forwarding import source_of
from streams.records import RecordValidator
from streams.rejections import WrongPartition

_MOST_KNOWN: Final = 65_536
"""So many keys are remembered to belong to a partition, or twice as many as it has tools."""


class ReadBatch(NamedTuple):
    """The records of a batch, by what becomes of them."""

    records: list[LogRecord]
    """The entries of the log."""
    misplaced: list[ConsumerRecord]
    """Good records that are to be forwarded to another partition."""
    bad: list[BadRecord]
    has_copies: bool
    """Whether any of the entries was forwarded from another partition."""


class ReadLog:
    """Reads the entries of batches of `tool-executions`."""

    def __init__(
        self,
        table: WindowTable,
        validator: RecordValidator,
        ends: SourceEnds,
        watch: TopicWatch,
    ) -> None:
        self._table = table
        self._validator = validator
        self._ends = ends
        self._watch = watch
        self._known: dict[int, set[bytes]] = {}
        """For each partition, keys that belong there."""

    async def read(self, batch: Batch) -> ReadBatch:
        """Read the records of a batch. Raises TopicsChanged."""
        partition = batch.topic_partition.partition
        known = self._known_of(partition)
        log_entry, partitions = self._validator.log_entry, self._validator.partitions
        records: list[LogRecord] = []
        copies: list[LogRecord] = []
        misplaced: list[ConsumerRecord] = []
        bad: list[BadRecord] = []
        is_asked = False
        for portion in batch.portions():
            await asyncio.sleep(0)
            for record in portion:
                try:
                    entry = log_entry(record, known)
                except Rejected as error:
                    if isinstance(error, WrongPartition) and not is_asked:
                        await self._watch.require_unchanged()
                        is_asked = True
                    bad.append(BadRecord.of(record, error))
                    continue
                if entry is None:
                    misplaced.append(record)
                    continue
                read = LogRecord(record.key, record.offset, record.timestamp, entry)
                records.append(read)
                headers = record.headers
                # To see here that a record only names a trace takes half the time.
                if headers and (len(headers) > 1 or headers[0][0] != PARENT):
                    read.source = source_of(headers, partition, partitions)
                    if read.source is not None:
                        copies.append(read)
        if misplaced:
            await self._watch.require_unchanged_lately()
        if copies:
            await self._ends.forget_impossible(copies)
        return ReadBatch(records, misplaced, bad, bool(copies))

    def _known_of(self, partition: int) -> set[bytes]:
        """Return keys that belong to the partition.

        They are bounded, because whoever may write executions adds some. A tool that has a row here
        need not belong here: it may have moved since.
        """
        known = self._known.setdefault(partition, set())
        if len(known) > max(_MOST_KNOWN, 2 * len(self._table.rows_of(partition))):
            known.clear()
        return known
