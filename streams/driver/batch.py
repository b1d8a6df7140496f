"""A batch: the records of one partition that one fetch brought, in their order."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from aiokafka import TopicPartition
from aiokafka.structs import ConsumerRecord

_PORTION_BYTES: Final = 64 * 1024
_RECORD_BYTES: Final = 500
"""About how much memory a record takes besides its key, its value and its headers."""


@dataclass(eq=False)
class Batch:
    """The records that one fetch brought of one partition, in their order.

    It is never empty before it is released.
    """

    records: list[ConsumerRecord]
    begins: int | None = None
    """The offset from which this batch was read. It may be lower than the first record's offset: a
    transaction's marker, or a record that retention removed, has an offset and no record. None if
    it is not certain that everything before this offset was read."""
    ends: int = 0
    """The offset from which the next batch is read."""
    size: int = 0
    """About how many bytes of memory the records take."""
    epoch: int = -1
    """The number of the assignment under which the batch was fetched. The partition's owner, which
    may be this same worker, reads the records of an earlier assignment again. Therefore the results
    of a batch of an earlier assignment must not be written."""
    mark_done: Callable[["Batch", int], None] = lambda _batch, _offset: None
    """The consumer's ``mark_done``. It must not hold the batch, because that would be a reference
    cycle: records in a cycle wait for the garbage collector, which stops the process for a quarter
    of a second when it finds many of them."""

    set_aside: Callable[["Batch", int], None] = lambda _batch, _offset: None
    """The consumer's ``set_aside``."""
    resume: Callable[["Batch", int], None] = lambda _batch, _offset: None
    """The consumer's ``resume``."""

    is_ours: Callable[["Batch"], bool] = lambda _batch: True
    """The consumer's ``owns``."""

    def only(self, record: ConsumerRecord) -> "Batch":
        """Return one record as a batch, so that keeping it does not keep the others."""
        return replace(self, records=[record])

    def done_to(self, offset: int) -> None:
        """Mark the records up to and including this offset as done, before the whole batch is.

        Records that were set aside are not done.
        """
        self.mark_done(self, offset)

    def portions(self) -> Iterator[list[ConsumerRecord]]:
        """Yield the records in portions of about 64 KiB of values.

        Before each portion a handler lets others have their turn. Otherwise records that are made
        to take long would stop the event loop until the worker takes itself for a zombie.
        """
        begin = size = 0
        for end, record in enumerate(self.records, 1):
            size += record.serialized_value_size
            if size > _PORTION_BYTES:
                yield self.records[begin:end]
                begin, size = end, 0
        if begin < len(self.records):
            yield self.records[begin:]

    @property
    def first(self) -> ConsumerRecord:
        """The first record."""
        return self.records[0]

    @property
    def last(self) -> ConsumerRecord:
        """The last record."""
        return self.records[-1]

    def release(self) -> None:
        """Let the records go. Faust keeps the last batch until another one comes."""
        self.records = []
        self.size = 0

    @property
    def topic_partition(self) -> TopicPartition:
        """The topic and the partition of all records."""
        return TopicPartition(self.last.topic, self.last.partition)


class BatchRecord:
    """A batch in the shape of one record, with the offset and time of its last record.

    Faust hands records over; the value of this one is the batch.
    """

    __slots__ = (
        "checksum", "headers", "key", "offset", "partition", "serialized_key_size",
        "serialized_value_size", "timestamp", "timestamp_type", "topic", "value",
    )  # fmt: skip

    def __init__(self, batch: Batch) -> None:
        last = batch.last
        self.topic = last.topic
        self.partition = last.partition
        self.offset = last.offset
        self.timestamp = last.timestamp
        self.timestamp_type = last.timestamp_type
        self.headers = ()
        self.key = self.checksum = None
        self.value = batch
        self.serialized_key_size = self.serialized_value_size = 0


def size_of(records: list[ConsumerRecord]) -> int:
    """Return about how many bytes of memory the records take."""
    size = _RECORD_BYTES * len(records)
    for record in records:
        size += record.serialized_value_size + record.serialized_key_size
        for name, value in record.headers:
            size += len(name) + len(value or b"")
    return size
