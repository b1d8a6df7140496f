"""One call of a tool, from its beginning until it becomes a record."""

from collections.abc import Callable
from contextvars import ContextVar
from datetime import datetime, timezone
from time import perf_counter, time
from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec

from rollguard_client.calls.failures import Failure
from rollguard_client.messages.execution import Execution
from rollguard_client.messages.message import unchecked
from rollguard_client.publishing.buffer import RECORD_BYTES, Record
from rollguard_client.spans.ids import execution_id_of
from rollguard_client.traces.context import TraceContext, headers_of
from rollguard_client.traces.current import trace_context_of

if TYPE_CHECKING:
    from uuid import UUID

    from rollguard_client.calls.tool import Tool
    from rollguard_client.spans.current_span import SpanOfCall

_Execution: Final[Any] = unchecked(Execution)
_encode: Final = msgspec.json.Encoder().encode

current_call: Final[ContextVar["Call | None"]] = ContextVar("rollguard_call", default=None)
"""The call of a tool that runs in this context."""


class Call(msgspec.Struct, eq=False, gc=False):
    """A call: it is among the open calls until somebody has published it.

    It has few attributes, because each of them takes time in the thread of the tool. The garbage
    collector does not look at it, because a million of them may wait for Kafka: whoever ends a call
    takes the references out of it by which it could keep itself alive.
    """

    is_of_hook: ClassVar[bool] = False
    place: ClassVar[None] = None

    tool: "Tool"
    version_id: int | None
    session_id: str | None
    outer: "Call | None"
    began: float
    """The time at which it began, or went on; infinite while it waits."""
    failure: Failure | None = None
    told: BaseException | None = None
    """The exception of an inner call of the same tool, which was published already."""
    span: "SpanOfCall | None" = None
    """The span in which it runs, if one is recorded."""
    busy_s: float = 0.0
    ended_at: float = 0.0
    size: int = RECORD_BYTES

    def end(self) -> None:
        """Stop the clock for good."""
        self.busy_s += perf_counter() - self.began
        self.ended_at = time()

    def fail(self, failure: Failure) -> None:
        """Note a failure, after the end."""
        self.failure = failure
        self.size = RECORD_BYTES + 2 * len(failure.error or "")

    def record(self, new_id: Callable[[], str]) -> Record:
        """Return the record of the execution."""
        tool, failure = self.tool, self.failure
        context = None if self.span is None else trace_context_of(self.span.context)
        execution = _Execution(
            execution_id=new_id() if context is None else self._id_of(context, new_id),
            tool_name=tool.name,
            version_id=self.version_id,
            success=failure is None,
            executed_at=datetime.fromtimestamp(self.ended_at, timezone.utc),
            duration_ms=self.busy_s * 1000,
            session_id=self.session_id,
            engine_id=tool.engine_id,
        )
        if failure is not None:
            execution.error, execution.error_type, execution.error_origin = failure
        return Record(tool.key, _encode(execution), headers_of(context))

    def _id_of(self, context: TraceContext, new_id: Callable[[], str]) -> "UUID | str":
        assert self.span is not None, "the context is that of the span"
        if self.span.is_of_call:
            return execution_id_of(context.trace_id, context.span_id)
        return new_id()


class HookCall(Call, eq=False, gc=False):
    """A call that the hook of a framework tells of.

    If a decorated function is called in it, the decorator publishes it, and the hook does not.
    """

    is_of_hook: ClassVar[bool] = True
