"""What could not be used, whole, with what was wrong with it."""

from base64 import b64decode, b64encode
from typing import Final

from pydantic import Field

from schemas.errors import Rejected
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
    partition: int = Field(ge=0, le=2**31 - 1)
    offset: int = Field(ge=0, le=2**63 - 1)
    key: str | None = None
    value: str | None = None
    truncated: bool = False
    error: ErrorText
    rejected_at: Time


def encoded(data: bytes | None, most: int) -> str | None:
    """Base64 of the first ``most`` bytes; None stays None."""
    return None if data is None else b64encode(data[:most]).decode()


def decoded(text: str | None) -> bytes | None:
    """What :func:`encoded` was given, as far as it was kept. Raises Rejected for anything else."""
    try:
        return None if text is None else b64decode(text, validate=True)
    except ValueError as error:
        raise Rejected(f"not base64: {error}") from error
