"""The notices of outages: many tools of a partition fail at once, or do not any more."""

from pydantic import Field

from schemas.fields import Time
from schemas.message import Message


class OutageNotice(Message):
    """The beginning or the end of an outage, as a partition's log says it.

    It may be published more than once, each time identical.
    """

    outage_partition: int = Field(ge=0, le=2**31 - 1)
    """The partition of `tool-executions` whose tools failed."""
    began_at: Time
    """The beginning of the time in which failures say nothing about versions."""
    over_at: Time | None = None
    """When the outage was over; left out while it lasts."""

    @property
    def key(self) -> bytes:
        """The key of the record, by which the notices of a partition stay in order."""
        return b"partition-%d" % self.outage_partition
