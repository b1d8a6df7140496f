"""The recorder: every execution into Postgres once, and the metrics of its version with it.

One transaction for a batch: the rows, what they add to the metrics, which version is current at
this place of the log, and the partition's next offset by compare-and-set. A replay is skipped.
"""

from faust.types import TP

from agents.role import Patience
from db.errors import postgres_errors
from db.executions import next_offset, record
from db.pool import Pool, acquire
from schemas.errors import Misconfigured, Rejected
from schemas.execution import Activation, Execution
from streams.batches import BatchConsumer, Records
from streams.records import Guard

ROLE = "recorder"


class RecordExecutions:
    """Writes executions and metrics. Bad records are passed over: the detector reports them."""

    def __init__(self, app: object, pool: Pool, guard: Guard, patience: Patience) -> None:
        self._app = app
        self._pool = pool
        self._guard = guard
        self._patience = patience
        self._checked: set[tuple[str, int]] = set()

    async def handle(self, records: Records) -> None:
        """Record the entries of one partition."""
        entries: list[tuple[int, Execution | Activation]] = []
        for item in records:
            try:
                entries.append((item.offset, self._guard.log_entry(item)))
            except Rejected:
                continue
        first, last = records[0], records[-1]
        await self._require_same_topic(records)

        async def write() -> int:
            with postgres_errors():
                async with acquire(self._pool) as conn:
                    return await record(
                        conn, last.topic, last.partition, first.offset, last.offset + 1, entries
                    )

        await self._patience(write)

    async def _require_same_topic(self, records: Records) -> None:
        """Misconfigured where Postgres has read further than the log reaches."""
        last = records[-1]
        place = (last.topic, last.partition)
        if place in self._checked:
            return

        async def read() -> int:
            with postgres_errors():
                async with acquire(self._pool) as conn:
                    return await next_offset(conn, last.topic, last.partition)

        expected = await self._patience(read)
        consumer: BatchConsumer = self._app.consumer  # type: ignore[attr-defined]
        end = consumer.highwater(TP(*place))
        if expected > last.offset + 1 and end is not None and expected > end:
            raise Misconfigured(
                f"{last.topic}[{last.partition}] ends at {end}, but it was recorded to {expected}: "
                "the topic was made anew; use a new ROLLGUARD_TOPIC_PREFIX or database"
            )
        self._checked.add(place)
