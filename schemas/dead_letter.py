"""Dead letters: records that could not be used, with the error that says why."""

from base64 import b64decode, b64encode
from typing import Final

from pydantic import Field

from schemas.errors import Rejected
from schemas.fields import ErrorText, Time
from schemas.message import Message

MAX_VALUE_BYTES: Final = 64 * 1024
"""How many bytes of a bad value are kept."""
MAX_KEY_BYTES: Final = 1024
"""How many bytes of a bad key are kept. A valid key, a name of up to 255 characters, has at most
1,020 bytes."""


class DeadLetter(Message):
    """A bad record: its position, its content, and why which role rejected it."""

    role: str
    """The role that rejected the record."""
    topic: str
    """The topic of the bad record; ``partition`` and ``offset`` give its position there."""
    partition: int = Field(ge=0, le=2**31 - 1)
    offset: int = Field(ge=0, le=2**63 - 1)
    key: str | None = None
    """The key in base64, cut after ``MAX_KEY_BYTES``."""
    value: str | None = None
    """The value in base64, cut after ``MAX_VALUE_BYTES``."""
    truncated: bool = False
    """Whether the value was cut, or left out because its batch was not unpacked."""
    unpublished: int | None = Field(None, ge=1)
    """How many bad records of this partition have no dead letter, since the dead letter before this
    one: too many came at once. Left out if there are none."""
    error: ErrorText
    """The fault of the record, in words."""
    rejected_at: Time


def encoded(data: bytes | None, most: int) -> str | None:
    """Return the first ``most`` bytes in base64; None stays None."""
    return None if data is None else b64encode(data[:most]).decode()


def decoded(text: str | None) -> bytes | None:
    """Return the bytes that ``encoded`` kept. Raises Rejected if the text is not base64."""
    try:
        return None if text is None else b64decode(text, validate=True)
    except ValueError as error:
        raise Rejected(f"not base64: {error}") from error
