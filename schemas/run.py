"""An execution as those who read the log by the thousand need it: the same rules, less work.

``Execution`` says what is good, and what is wrong with what is not. That takes 5 µs, most of it for
messages that any engine sends millions of times. Those are read here, by a decoder that takes less
than it might: what it does not take, for whatever reason, ``Execution`` reads (and may take), so
that nothing is good or bad by another rule (``tests/unit/test_run.py``).
"""

import re
from datetime import UTC, datetime
from functools import lru_cache
from math import isfinite
from typing import Annotated, Final, Literal, Self
from uuid import UUID

import msgspec
from msgspec import Meta

from schemas.execution import Activation, Execution, class_of, read_log_entry
from schemas.fields import micros_of

_MOST_BYTES: Final = 4_096
"""Below it no text has to be cut, and no number is too long."""
_FLAT_BYTES: Final = 1_000
"""Below it nothing can be nested too deep."""
_SECOND: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", re.ASCII)


class Run(msgspec.Struct, gc=False):
    """One execution of the log. ``executed_us`` is in microseconds since the epoch; the rest is as
    in ``Execution``."""

    tool_name: str
    execution_id: UUID
    version_id: int | None
    success: bool
    error: str | None
    error_type: str | None
    executed_us: int
    duration_ms: float | None = None
    session_id: str | None = None

    @property
    def error_class(self) -> str | None:
        """The class name of the exception, without its module; None for a success."""
        return None if self.success else class_of(self.error_type, self.error)

    @classmethod
    def of(cls, execution: Execution) -> Self:
        return cls(
            execution.tool_name,
            execution.execution_id,
            execution.version_id,
            execution.success,
            execution.error,
            execution.error_type,
            micros_of(execution.executed_at),
            execution.duration_ms,
            execution.session_id,
        )


_Name = Annotated[str, Meta(min_length=1, max_length=255)]
_Version = Annotated[int, Meta(ge=1, le=2**31 - 1)]


class _Wire(msgspec.Struct, gc=False):
    execution_id: UUID
    tool_name: _Name
    success: bool
    executed_at: str
    kind: Literal["execution"] | None = None
    version_id: _Version | None = None
    error: str | None = None
    error_type: str | None = None
    duration_ms: float | None = None
    session_id: Annotated[str, Meta(max_length=255)] | None = None


_decode: Final = msgspec.json.Decoder(_Wire).decode


def read_run(value: bytes) -> Run | None:
    """The execution in a value of `tool-executions`; None where that is for ``Execution`` to say.

    Never raises. None for anything unusual: a time that is not UTC, a NUL, a long text.
    """
    size = len(value)
    if size > _MOST_BYTES or (
        size > _FLAT_BYTES and value.count(b"[") + value.count(b"{") > _FLAT_BYTES // 2
    ):
        return None
    try:
        # The decoder does not look at bytes that it passes over: they must be UTF-8, too.
        wire = _decode(value if value.isascii() else value.decode())
    except (ValueError, RecursionError):  # those of msgspec and of decoding are ValueErrors
        return None
    executed_us = _micros_of(wire.executed_at)
    duration_ms = wire.duration_ms
    if (
        executed_us is None
        or (duration_ms is not None and not isfinite(duration_ms))
        or (b"\\u0000" in value)  # no other way to write a NUL in JSON
    ):
        return None
    return Run(
        wire.tool_name,
        wire.execution_id,
        wire.version_id,
        wire.success,
        wire.error,
        wire.error_type,
        executed_us,
        duration_ms,
        wire.session_id,
    )


def read_entry(value: bytes | None) -> Run | Activation:
    """Read a value of `tool-executions`. Raises Rejected with what is wrong."""
    run = read_run(value) if value else None
    if run is not None:
        return run
    entry = read_log_entry(value)
    return Run.of(entry) if isinstance(entry, Execution) else entry


def _micros_of(text: str) -> int | None:
    """Microseconds since the epoch of an RFC 3339 time in UTC, as most are written; else None."""
    begin = _second(text[:19])
    if begin is None:
        return None
    if text.endswith("Z"):
        fraction = text[19:-1]
    elif text.endswith("+00:00"):
        fraction = text[19:-6]
    else:
        return None
    if not fraction:
        return begin
    digits = fraction[1:]
    if fraction[0] != "." or len(digits) > 6 or not (digits.isascii() and digits.isdigit()):
        return None
    return begin + int(digits.ljust(6, "0"))


@lru_cache(maxsize=4_096)
def _second(text: str) -> int | None:
    """The microseconds at which a second begins: executions share few of them."""
    if not _SECOND.fullmatch(text):
        return None
    try:
        micros = micros_of(datetime.fromisoformat(text).replace(tzinfo=UTC))
    except ValueError:
        return None
    return micros if micros >= 0 else None
