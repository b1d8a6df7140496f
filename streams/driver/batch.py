"""A batch: the records of one partition that one fetch brought, in their order."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from aiokafka import TopicPartition
from aiokafka.structs import ConsumerRecord


@dataclass
class Batch:
    """The records that one fetch brought of one partition, in their order; never empty."""

    records: list[ConsumerRecord]
    begins: int | None = None
    """The offset from which this batch was read. It may be lower than the first record's offset: a
    transaction's marker, or a record that retention removed, has an offset and no record. None if
    it is not certain that everything before this offset was read."""
    ends: int = 0
    """The offset from which the next batch is read."""
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

    @property
    def first(self) -> ConsumerRecord:
        """The first record."""
        return self.records[0]

    @property
    def last(self) -> ConsumerRecord:
        """The last record."""
        return self.records[-1]

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
