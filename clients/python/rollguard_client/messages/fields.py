"""The field types that the messages share: names, times, ids, texts.

They have the bounds of the server's own models; the contract, section 1, 'Validity', states them.
"""

import re
from datetime import datetime, timezone
from typing import Annotated, Final

from msgspec import Meta

MAX_ERROR_BYTES: Final = 8 * 1024
"""How much of an error's text is kept, in bytes of UTF-8."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_LINE_BREAK: Final = re.compile("[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")

ToolName = Annotated[str, Meta(min_length=1, max_length=255)]
ShortText = Annotated[str, Meta(max_length=255)]
LongText = Annotated[str, Meta(max_length=65_536)]
ImprovementType = Annotated[str, Meta(max_length=50)]
VersionId = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Count = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
EngineId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,200}$")]
"""The id of an engine has no ``/``, which separates it from the tool's name in a report's key."""
Time = Annotated[datetime, Meta(tz=True)]


def storable(text: str) -> str:
    """Return free text that a database can store: NUL becomes U+2400, a lone surrogate U+FFFD."""
    if "\0" in text:
        text = text.replace("\0", "\u2400")
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def error_text(text: str) -> str:
    """Return an error's text as it is kept: storable, and at most ``MAX_ERROR_BYTES`` long.

    The cut never splits a character.
    """
    text = storable(text[:MAX_ERROR_BYTES])
    if len(text) * 4 > MAX_ERROR_BYTES:
        text = text.encode()[:MAX_ERROR_BYTES].decode(errors="ignore")
    return text


def require_no_nul(text: str) -> None:
    """Raise ValueError if the text has a NUL, which no database stores, or cannot be UTF-8."""
    if "\0" in text:
        raise ValueError("NUL is not allowed")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"cannot be written as UTF-8 ({error.reason})") from None


def has_line_break(text: str) -> bool:
    """Return whether the text has a line break, which would forge a line of an output."""
    return _LINE_BREAK.search(text) is not None


def require_one_line(text: str) -> None:
    """Raise ValueError if the text has a line break."""
    if has_line_break(text):
        raise ValueError("line breaks are not allowed")


def utc(time: datetime) -> datetime:
    """Return a time with an offset in UTC. Raises ValueError if it is not of 1970 to 9999."""
    try:
        time = time.astimezone(timezone.utc)
    except OverflowError:
        raise ValueError("a time must lie in 1970 to 9999") from None
    if time < _EPOCH:
        raise ValueError("a time must lie in 1970 to 9999")
    return time


def time_text(time: datetime) -> str:
    """Return a time as RFC 3339 in UTC, with microseconds only if there are any."""
    return time.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
