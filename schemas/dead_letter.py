"""What could not be used, whole, with what was wrong with it."""

from base64 import b64encode
from typing import Final

from schemas.fields import ErrorText, Time
from schemas.message import Message

MAX_VALUE_BYTES: Final = 1024 * 1024
"""What of a bad value is kept."""
MAX_KEY_BYTES: Final = 1024
"""A name of 255 characters has at most 1,020 bytes; of a longer key so much is kept."""


class DeadLetter(Message):
    """A bad record: where it stood, what it was (base64), why it was rejected, by which role."""

    role: str
    topic: str
    partition: int
    offset: int
    key: str | None = None
    value: str | None = None
    truncated: bool = False
    error: ErrorText
    rejected_at: Time


def encoded(data: bytes | None, most: int) -> str | None:
    """Base64 of the first ``most`` bytes; None stays None."""
    return None if data is None else b64encode(data[:most]).decode()
