"""The bridge: it publishes the executions that the spans of the Collector tell of.

The order within a batch: read all records, send the executions and wait for the broker's
acknowledgement, then commit the offset. After a crash in between, the batch is read again. Its
executions have the same ids then, so each counts once.
"""

import asyncio
from typing import Final

from agents.bridge.json_traces import read_json
from agents.bridge.protobuf_traces import read_protobuf
from agents.bridge.span_executions import SpanExecutions, once
from agents.bridge.traces import Traces
from agents.bridge.version_history import VersionHistory
from agents.dead_letters.box import BadRecord, DeadLetterBox
from schemas.errors import Rejected
from streams.crash_points import crash_point
from streams.driver.batch import Batch
from streams.driver.outbox import Outbox, Outgoing
from streams.records import Record, require_whole
from streams.retries import retry_without_limit
from streams.waits import Waits

_PUBLISHED_AT_ONCE: Final = 1_000
"""When so many executions are read, they are published, so that no batch fills the memory."""


class BridgeSpans:
    """Publishes the executions that spans tell of, keyed by their tool."""

    def __init__(
        self,
        executions: SpanExecutions,
        history: VersionHistory,
        outbox: Outbox,
        dead_letters: DeadLetterBox,
        waits: Waits,
    ) -> None:
        self._executions = executions
        self._history = history
        self._outbox = outbox
        self._dead_letters = dead_letters
        self._waits = waits

    async def handle(self, batch: Batch) -> None:
        """Publish what the records of one partition tell of, in their order."""
        # One catch-up is enough: all spans of the batch were sent before it.
        catch_up = once(self._catch_up)
        outgoing: list[Outgoing] = []
        bad_records: list[BadRecord] = []
        for portion in batch.portions():
            await asyncio.sleep(0)
            for record in portion:
                try:
                    traces = _traces_of(record)
                except Rejected as error:
                    bad_records.append(BadRecord.of(record, error))
                    continue
                found = await self._executions.of(traces, catch_up)
                outgoing += found.outgoing
                if found.error is not None:
                    bad_records.append(BadRecord(record, found.error))
                if len(outgoing) >= _PUBLISHED_AT_ONCE:
                    await self._outbox.publish(outgoing)
                    outgoing = []
        dead_letters = self._dead_letters.draft(bad_records)
        await self._outbox.publish(outgoing + dead_letters.outgoing)
        self._dead_letters.settle(dead_letters)
        crash_point("bridge.published")

    async def _catch_up(self) -> None:
        await retry_without_limit(self._history.catch_up, self._waits)


def _traces_of(record: Record) -> Traces:
    """Return the spans of a record, whose first byte says which encoding it has."""
    require_whole(record)
    value = record.value
    if value is None:
        raise Rejected("the record has no value")
    return read_json(value) if value[:1] == b"{" else read_protobuf(value)
