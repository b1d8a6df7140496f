"""The detector's table: one row for each tool, as bytes (see ``policy.state.row``).

Faust gives the table its changelog topic, its assignment and its recovery. Reading and writing a
row through Faust costs 160 µs. Here a row is an entry of a dictionary, and the rows that a batch
changes go to the changelog together.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import faust
from faust.stores.memory import Store
from faust.types import TP

from policy.state.row import read_to_of
from streams.driver.batch import Batch
from streams.driver.driver import Driver
from streams.driver.kept_rows import ChangedRow, KeptRows
from streams.topics import TABLE

Rows = dict[bytes, bytes]
"""Encoded rows by the tool's name in UTF-8."""


class Recoveries(NamedTuple):
    """What the recoveries of a table took so far."""

    records: int
    """How many records of the changelog were read."""
    completed: int
    """How many recoveries were completed."""
    seconds: float
    """How long those took together."""


class FurthestRows(Store[bytes, bytes]):
    """The rows in memory, by partition, and on disk as well if there is a ``folder``.

    Recovery keeps, for each tool, the row that has read furthest in the log, wherever in the
    changelog that row is. A worker that lost its partition without noticing may have written an old
    row after a newer one; Faust would keep the last row.
    """

    folder: Path | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.partitions: dict[int, Rows] = {}
        self._kept: dict[int, KeptRows] = {}
        self.recoveries = Recoveries(0, 0, 0.0)
        self._recovering_since: float | None = None

    def rows_of(self, partition: int) -> Rows:
        """Return the rows of one partition."""
        return self.partitions.setdefault(partition, {})

    def keep(self, partition: int, rows: list[ChangedRow], first: int) -> None:
        """Write rows to disk. The changelog has them at ``first`` and the offsets after it.

        If ``first`` does not follow the last offset on disk, another worker has written in between.
        Then nothing more of this partition is written to disk, so that the next recovery reads the
        other worker's rows too.
        """
        kept = self._kept.get(partition)
        if kept is None:
            return
        if first == (0 if kept.offset is None else kept.offset + 1):
            kept.write(rows, first + len(rows) - 1)
        else:
            self._kept.pop(partition).close()

    def persisted_offset(self, tp: TP) -> int | None:
        """Return the offset of the last changelog record on disk; recovery begins there.

        The first call for a partition reads its rows from disk into memory.
        """
        if self._recovering_since is None:
            self._recovering_since = time.monotonic()
        if self.folder is None:
            return None
        kept = self._kept.get(tp.partition)
        if kept is None:
            kept = self._kept[tp.partition] = KeptRows.open(self.folder, tp.partition)
            self.partitions[tp.partition] = kept.load()
        return kept.offset

    def apply_changelog_batch(
        self,
        batch: Iterable[Any],
        to_key: Callable[[Any], Any],
        to_value: Callable[[Any], Any],
    ) -> None:
        """Take over the rows of some batches of the changelog.

        A record without a value says that the tool was forgotten.
        """
        for event in batch:
            fetched: Batch = event.message.value
            partition = fetched.topic_partition.partition
            rows, newer = self.rows_of(partition), dict[bytes, bytes | None]()
            self._count(len(fetched.records), 0, 0.0)
            for record in fetched.records:
                if record.value is None:
                    rows.pop(record.key, None)
                    newer[record.key] = None
                    continue
                known = rows.get(record.key)
                if known is None or read_to_of(known) <= read_to_of(record.value):
                    rows[record.key] = newer[record.key] = record.value
            if partition in self._kept:
                self._kept[partition].write(newer.items(), fetched.last.offset)

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:
        """Forget the partitions that now belong to another worker."""
        since, self._recovering_since = self._recovering_since, None
        self._count(0, 1, 0.0 if since is None else time.monotonic() - since)
        mine = {tp.partition for tp in active_tps}
        for partition in self.partitions.keys() - mine:
            del self.partitions[partition]
        for partition in self._kept.keys() - mine:
            self._kept.pop(partition).close()

    def _count(self, records: int, completed: int, seconds: float) -> None:
        before = self.recoveries
        self.recoveries = Recoveries(
            before.records + records, before.completed + completed, before.seconds + seconds
        )

    async def on_stop(self) -> None:
        """Close the rows on disk."""
        while self._kept:
            self._kept.popitem()[1].close()


class WindowTable(faust.Table[bytes, bytes]):
    """A Faust table that keeps its rows in ``FurthestRows`` and is written in batches."""

    def __init__(
        self,
        *args: Any,
        on_failed_send: Callable[[BaseException], None],
        folder: Path | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._on_failed_send = on_failed_send
        self._folder = folder
        self._writing = asyncio.Lock()

    def rows_of(self, partition: int) -> Rows:
        """Return the encoded rows of one partition, to be read (``policy.state.row.decode``)."""
        store: Any = self.data
        found: Rows = store.rows_of(partition)
        return found

    def all_rows(self) -> dict[int, Rows]:
        """Return the rows of every partition that this worker has, by partition."""
        store: Any = self.data
        found: dict[int, Rows] = store.partitions
        return found

    @property
    def recoveries(self) -> Recoveries:
        """What the recoveries of this worker took so far."""
        store: Any = self.data
        found: Recoveries = store.recoveries
        return found

    async def write(self, partition: int, changed: Sequence[tuple[bytes, bytes]]) -> None:
        """Keep these rows, and send them to the changelog after all that was sent before.

        Return when the producer has them; a flush of the producer waits until the broker has them.
        If a send fails, the process ends, and commits no offset before it ends.
        """
        async with self._writing:
            self.rows_of(partition).update(changed)
            await self._send(partition, changed)

    async def write_again(self, partition: int, keys: Iterable[bytes]) -> None:
        """Send rows to the changelog again, as they are now."""
        async with self._writing:
            rows = self.rows_of(partition)
            await self._send(partition, ((key, rows[key]) for key in keys if key in rows))

    async def remove(self, partition: int, rows: Mapping[bytes, bytes]) -> list[bytes]:
        """Remove these rows, unless they have been changed since, and return the removed keys."""
        async with self._writing:
            known = self.rows_of(partition)
            removed = [key for key, row in rows.items() if known.get(key) is row]
            for key in removed:
                del known[key]
            await self._send(partition, ((key, None) for key in removed))
        return removed

    async def _send(self, partition: int, rows: Iterable[ChangedRow]) -> None:
        faust_producer: Any = self.app.producer
        producer = faust_producer._ensure_producer()
        batch = producer.create_batch()
        sent: list[ChangedRow] = []
        for key, value in rows:
            if batch.append(timestamp=None, key=key, value=value) is None:  # it is full
                await self._submit(producer, batch, partition, sent)
                batch, sent = producer.create_batch(), []
                batch.append(timestamp=None, key=key, value=value)
            sent.append((key, value))
        if sent:
            await self._submit(producer, batch, partition, sent)

    async def _submit(
        self, producer: Any, batch: Any, partition: int, rows: list[ChangedRow]
    ) -> None:
        sent = await producer.send_batch(batch, self.changelog_topic_name, partition=partition)
        sent.add_done_callback(lambda done: self._note_sent(done, partition, rows))

    def _note_sent(
        self, sent: "asyncio.Future[Any]", partition: int, rows: list[ChangedRow]
    ) -> None:
        if sent.cancelled():
            return
        try:
            first = sent.result().offset
            store: Any = self.data
            store.keep(partition, rows, first)
        except Exception as error:
            consumer: Any = self.app.consumer
            consumer.refuse_commits()
            self._on_failed_send(error)

    def _new_store(self) -> FurthestRows:
        store = FurthestRows("memory://", self.app, self, table_name=self.name, loop=self.loop)
        store.folder = self._folder
        return store


def window_table(
    driver: Driver,
    partitions: int,
    on_failed_send: Callable[[BaseException], None],
    folder: Path | None = None,
) -> WindowTable:
    """Return a new table of this driver. If there is a ``folder``, its rows are kept there too.

    The keys are the raw bytes of the tool's name, as in the source topic: only then is a tool's row
    in the partition in which a query looks for it.
    """
    table = WindowTable(
        driver.app,
        name=TABLE,
        default=None,
        partitions=partitions,
        key_type=bytes,
        value_type=bytes,
        # Counted in batches of the changelog. Not 1, because that has another meaning in Faust.
        recovery_buffer_size=2,
        on_failed_send=on_failed_send,
        folder=folder,
        help="the evidence about each tool's current version",
    )
    driver.app.tables.add(table)
    return table
