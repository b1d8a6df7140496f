"""Dead letters: records that could not be used, with the error that says why."""

from typing import Annotated, ClassVar

from msgspec import Meta

from rollguard_client.messages.fields import Time
from rollguard_client.messages.message import Message


class DeadLetter(Message, frozen=True, kw_only=True):
    """A bad record: its position, its content, and why which role rejected it."""

    error_texts: ClassVar[tuple[str, ...]] = ("error",)

    role: str
    """The role that rejected the record."""
    topic: str
    """The topic of the bad record; ``partition`` and ``offset`` give its position there."""
    partition: Annotated[int, Meta(ge=0, le=2**31 - 1)]
    offset: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    key: str | None = None
    """The key in base64, cut if it is long."""
    value: str | None = None
    """The value in base64, cut if it is long."""
    truncated: bool = False
    """Whether the value was cut, or left out."""
    unpublished: Annotated[int, Meta(ge=1)] | None = None
    """How many bad records of this partition have no dead letter, since the one before this."""
    error: str
    """The fault of the record, in words."""
    rejected_at: Time
