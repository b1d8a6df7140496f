"""A quick reading of executions, for readers of the whole log.

``Execution`` defines which executions are valid, and reading one takes 5 µs. The decoder of this
module is quicker and accepts a strict subset of the valid ones, which covers what engines usually
send. ``Execution`` reads all others, so that validity has one definition
(``tests/unit/schemas/test_execution_entry.py``).
"""

import re
from datetime import UTC, datetime
from functools import lru_cache
from math import inf, isfinite
from typing import Annotated, Final, Literal, Self
from uuid import UUID

import msgspec
from msgspec import Meta

from schemas.execution import Execution
from schemas.failures.error_class import class_of
from schemas.failures.failure_classes import ErrorOrigin
from schemas.fields import ENGINE_ID, micros_of

_MOST_BYTES: Final = 4_096
"""In a value of at most this many bytes no text has to be cut, and no number is too long."""
_FLAT_BYTES: Final = 1_000
"""A value of at most this many bytes cannot be nested too deep."""
_SECOND: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", re.ASCII)
_ENGINE_ID: Final = re.compile(ENGINE_ID.removesuffix("$"))

_Name = Annotated[str, Meta(min_length=1, max_length=255)]
_Short = Annotated[str, Meta(max_length=255)]
_Version = Annotated[int, Meta(ge=1, le=2**31 - 1)]


class ExecutionEntry(msgspec.Struct, gc=False):
    """One execution of the log.

    ``executed_us`` is in microseconds since the epoch. ``written_at`` is the same time in the
    sender's own writing, or "" if the entry was made from an ``Execution``. The other fields are
    those of ``Execution``.
    """

    execution_id: UUID
    tool_name: _Name
    success: bool
    written_at: str = msgspec.field(name="executed_at")
    version_id: _Version | None = None
    error: str | None = None
    error_type: str | None = None
    duration_ms: float | None = None
    session_id: _Short | None = None
    caller: _Short | None = None
    input_hash: _Short | None = None
    error_origin: ErrorOrigin | None = None
    cost: float | None = None
    engine_id: str | None = None
    kind: Literal["execution"] | None = None
    executed_us: int = 0

    @property
    def error_class(self) -> str | None:
        """The class name of the exception, without its module; None for a success."""
        return None if self.success else class_of(self.error_type, self.error)

    @classmethod
    def of(cls, execution: Execution) -> Self:
        """Return the entry of a valid execution."""
        return cls(
            execution.execution_id,
            execution.tool_name,
            execution.success,
            "",
            execution.version_id,
            execution.error,
            execution.error_type,
            execution.duration_ms,
            execution.session_id,
            execution.caller,
            execution.input_hash,
            execution.error_origin,
            execution.cost,
            execution.engine_id,
            executed_us=micros_of(execution.executed_at),
        )


_decode: Final = msgspec.json.Decoder(ExecutionEntry).decode


def read_execution_entry(value: bytes) -> ExecutionEntry | None:
    """Return the execution in a value of `tool-executions`; None if ``Execution`` must read it.

    Anything unusual gives None, such as a time that is not UTC, a NUL, a long text. Never raises.
    """
    size = len(value)
    if size > _FLAT_BYTES and (
        size > _MOST_BYTES or value.count(b"[") + value.count(b"{") > _FLAT_BYTES // 2
    ):
        return None
    try:
        # The decoder does not check the bytes that it skips, and they must be UTF-8, too.
        run = _decode(value if value.isascii() else value.decode())
    except (ValueError, RecursionError):  # those of msgspec and of decoding are ValueErrors
        return None
    executed_us = _micros_of(run.written_at)
    if executed_us is None or "\0" in run.tool_name:
        return None
    if run.error is not None and "\0" in run.error:
        return None
    if run.session_id is not None and "\0" in run.session_id:
        return None
    if run.caller is not None and "\0" in run.caller:
        return None
    if run.input_hash is not None and "\0" in run.input_hash:
        return None
    if run.error_type is not None and "\0" in run.error_type:
        return None
    if (
        (run.engine_id is not None and not _is_engine_id(run.engine_id))
        or (run.duration_ms is not None and not isfinite(run.duration_ms))
        or (run.cost is not None and not 0 <= run.cost < inf)
    ):
        return None
    run.executed_us = executed_us
    return run


@lru_cache(maxsize=4_096)
def _is_engine_id(text: str) -> bool:
    """Return whether it can be the id of an engine. Cached: a few engines send all executions."""
    return _ENGINE_ID.fullmatch(text) is not None


def _micros_of(text: str) -> int | None:
    """Return the microseconds since the epoch; None unless the time is in a usual form of UTC."""
    begin = _second(text[:19])
    if begin is None:
        return None
    fraction = text[19:-1] if text[-1] == "Z" else text[19:-6] if text[-6:] == "+00:00" else None
    if not fraction:
        return None if fraction is None else begin
    if not fraction[1:].isdigit() or not fraction.isascii() or fraction[0] != ".":
        return None
    if len(fraction) == 7:
        return begin + int(fraction[1:])
    return begin + int(fraction[1:].ljust(6, "0")) if len(fraction) < 7 else None


@lru_cache(maxsize=4_096)
def _second(text: str) -> int | None:
    """Return the microseconds since the epoch of a whole second.

    Cached, because many executions happen within the same few seconds.
    """
    if not _SECOND.fullmatch(text):
        return None
    try:
        micros = micros_of(datetime.fromisoformat(text).replace(tzinfo=UTC))
    except ValueError:
        return None
    return micros if micros >= 0 else None
