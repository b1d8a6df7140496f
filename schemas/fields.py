"""The field types that the messages share: names, times, ids, texts.

Sizes are in characters (code points) unless the name says bytes. All types are strict: a number in
a string is not a number. Source: contract, section 1, 'Validity'.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final
from uuid import UUID

from pydantic import AfterValidator, Field, PlainSerializer, PlainValidator, WithJsonSchema

MAX_ERROR_BYTES: Final = 8 * 1024
"""How much of an ``error`` is kept, in bytes of UTF-8."""

ENGINE_ID: Final = r"^[A-Za-z0-9._-]{1,200}$"
"""What the id of an engine looks like. It has no ``/``, which separates it from the tool's name in
the key of a report."""

_LINE_BREAK: Final = re.compile("[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
"""What ends a line for Python (``str.splitlines``), and so for some program that shows a text."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_RFC_3339: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


def parse_time(value: object) -> datetime:
    """Read an RFC 3339 time with an offset, from 1970 to 9999, as UTC.

    A ``datetime`` with an offset is accepted too (for callers in Python). Digits after the
    microseconds are dropped. Raises ValueError that says what is wrong.
    """
    if isinstance(value, str):
        if not _RFC_3339.fullmatch(value):
            raise ValueError("not an RFC 3339 time with an offset, such as 2026-01-31T12:00:00Z")
        value = datetime.fromisoformat(value.upper())
    if not isinstance(value, datetime):
        raise ValueError("a time must be a string")
    if value.tzinfo is None:
        raise ValueError("a time needs an offset")
    try:
        utc = value.astimezone(UTC)
    except OverflowError:
        raise ValueError("a time must lie in 1970 to 9999") from None
    if utc < _EPOCH:
        raise ValueError("a time must lie in 1970 to 9999")
    return utc


def format_time(value: datetime) -> str:
    """Return the time as RFC 3339 in UTC, with microseconds only if there are any."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def micros_of(value: datetime) -> int:
    """Return the microseconds since the epoch: exact, and cheap to compare and to store."""
    delta = value - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def time_of(micros: int) -> datetime:
    """Return the time that is this many microseconds after the epoch, in UTC."""
    return _EPOCH + timedelta(0, 0, micros)


def _no_nul(value: str) -> str:
    if "\0" in value:
        raise ValueError("NUL is not allowed")
    return value


def one_line(value: str) -> str:
    """Return the text. ValueError if it has a line break, which would forge a line of an output."""
    if _LINE_BREAK.search(value):
        raise ValueError("line breaks are not allowed")
    return value


def storable(value: str) -> str:
    """Return free text that a database can store: NUL becomes U+2400, a lone surrogate U+FFFD."""
    if "\0" in value:
        value = value.replace("\0", "\u2400")
    try:
        value.encode()
    except UnicodeEncodeError:
        value = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def error_text(value: str) -> str:
    """Return an error message as it is kept: storable, and at most ``MAX_ERROR_BYTES`` long.

    The cut never splits a character. No message is refused, because a strange message must not hide
    a failure.
    """
    value = storable(value)
    if len(value) * 4 > MAX_ERROR_BYTES:
        value = value.encode()[:MAX_ERROR_BYTES].decode(errors="ignore")
    return value


def uuid_of(value: object) -> UUID | None:
    """Return the UUID that a text holds; None for anything else.

    The details of a command may name anything as an execution.
    """
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


Time = Annotated[
    datetime,
    PlainValidator(parse_time),
    PlainSerializer(format_time, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
ToolName = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_no_nul)]
"""The name of a tool that exists. It may have line breaks, because a version of Rollguard that
allowed them may have stored it: such a tool must be judged and rolled back all the same."""
NewToolName = Annotated[ToolName, AfterValidator(one_line)]
"""The name of a tool in a request that may create it."""
ShortText = Annotated[str, Field(max_length=255), AfterValidator(storable)]
ShortLine = Annotated[ShortText, AfterValidator(one_line)]
LongText = Annotated[str, Field(max_length=65_536), AfterValidator(storable)]
ErrorText = Annotated[str, AfterValidator(error_text)]
EngineId = Annotated[str, Field(pattern=ENGINE_ID)]
ImprovementType = Annotated[
    str, Field(max_length=50), AfterValidator(_no_nul), AfterValidator(one_line)
]
Code = Annotated[str, AfterValidator(_no_nul)]
VersionId = Annotated[int, Field(ge=1, le=2**31 - 1)]
Count = Annotated[int, Field(ge=1, le=2**31 - 1)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
