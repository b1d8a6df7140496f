"""One call of a tool, from its beginning until it becomes a record."""

from collections.abc import Callable
from contextvars import ContextVar
from datetime import datetime, timezone
from math import inf
from time import perf_counter, time
from typing import TYPE_CHECKING, Any, Final

import msgspec

from rollguard_client.messages.execution import ErrorOrigin, Execution
from rollguard_client.messages.message import unchecked
from rollguard_client.publishing.buffer import RECORD_BYTES

if TYPE_CHECKING:
    from rollguard_client.calls.tool import Tool

_Execution: Final[Any] = unchecked(Execution)
_encode: Final = msgspec.json.Encoder().encode

current_call: Final[ContextVar["Call | None"]] = ContextVar("rollguard_call", default=None)
"""The call of a tool that runs in this context."""


class Call:
    """A call: it is in the list of its tool's open calls until somebody has published it."""

    __slots__ = (
        "began",
        "began_at",
        "busy_s",
        "ended_at",
        "error",
        "error_origin",
        "error_type",
        "outer",
        "session_id",
        "success",
        "told",
        "tool",
        "version_id",
    )
    place = None

    def __init__(self, tool: "Tool", version_id: int | None, session_id: str | None) -> None:
        self.tool = tool
        self.version_id = version_id
        self.session_id = session_id
        self.outer: Call | None = None
        self.told: BaseException | None = None
        """The exception of an inner call of the same tool, which was published already."""
        self.success = True
        self.error: str | None = None
        self.error_type: str | None = None
        self.error_origin: ErrorOrigin | None = None
        self.busy_s = 0.0
        self.ended_at = 0.0
        self.began = perf_counter()

    def pause(self) -> None:
        """Stop the clock: a generator waits for whoever uses it, and is not stuck."""
        self.busy_s += perf_counter() - self.began
        self.began = inf

    def resume(self) -> None:
        """Let the clock run again."""
        self.began = perf_counter()

    def end(self) -> None:
        """Stop the clock for good."""
        self.busy_s += perf_counter() - self.began
        self.ended_at = time()

    @property
    def size(self) -> int:
        """How many bytes of memory it takes, about."""
        return RECORD_BYTES + (0 if self.error is None else 2 * len(self.error))

    def record(self, new_id: Callable[[], str]) -> tuple[bytes, bytes]:
        """Return key and value of the execution."""
        tool = self.tool
        execution = _Execution(
            execution_id=new_id(),
            tool_name=tool.name,
            version_id=self.version_id,
            success=self.success,
            error=self.error,
            error_type=self.error_type,
            error_origin=self.error_origin,
            executed_at=datetime.fromtimestamp(self.ended_at, timezone.utc),
            duration_ms=self.busy_s * 1000,
            session_id=self.session_id,
        )
        return tool.key, _encode(execution)
