"""A violation of an invariant."""

from typing import NamedTuple

from aiokafka.structs import ConsumerRecord


class Violation(NamedTuple):
    """The invariant that is broken, for which tool or topic, where, and how."""

    invariant: str
    tool: str
    where: str
    text: str

    def __str__(self) -> str:
        return f"{self.invariant}: {self.tool} at {self.where}: {self.text}"


def position(record: ConsumerRecord) -> str:
    """Return the partition and the offset of a record, as violations show them."""
    return f"{record.partition}:{record.offset}"
