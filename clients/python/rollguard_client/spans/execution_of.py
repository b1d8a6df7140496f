"""The execution that the span of a tool tells of.

The table that this file follows is in docs/how-to/bridge.md. The text of the arguments never gets
into an execution, only their hash.
"""

import hashlib
import json
from datetime import datetime, timedelta, timezone
from typing import Any, Final
from uuid import UUID

from rollguard_client.errors import Rejected
from rollguard_client.messages.execution import Execution
from rollguard_client.spans.ids import execution_id_of
from rollguard_client.spans.span import ERROR, Attributes, Span, text_of
from rollguard_client.spans.tool_spans import DECORATED, NAMES, VERSION, SpanRules

_SESSIONS: Final = (
    "gen_ai.conversation.id",
    "session.id",
    "traceloop.association.properties.session_id",
    "mcp.session.id",
)
_ARGUMENTS: Final = (
    "gen_ai.tool.call.arguments",
    "input.value",
    "traceloop.entity.input",
)
"""Not ``tool.parameters``: OpenInference puts the schema of the tool there, the same for all."""
_NO_CLASS: Final = frozenset({"tool_error", "_OTHER"})
"""What stands in ``error.type`` if the class of the exception is not known."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MAX_SHORT: Final = 255
_MAX_VERSION: Final = 2**31 - 1
_LONGEST_JSON: Final = 64 * 1024
"""Longer arguments are hashed as they are written, because reading them would take too long."""


def tool_name_of(span: Span, rules: SpanRules) -> str:
    """Return the name of the tool. Raises Rejected if the span has none."""
    name = text_of(span.attributes, NAMES)
    if name is None:
        raise Rejected(f"the span of a tool has no name of it: none of {', '.join(NAMES)}")
    return rules.names.get(name, name)


def stated_version_of(span: Span, tool_name: str) -> int | None:
    """Return the version that the span itself states; None if it states none.

    If the decorator has published an inner call of another tool, the version is that one's.
    """
    if span.attributes.get(DECORATED, tool_name) != tool_name:
        return None
    value = span.attributes.get(VERSION)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 1 <= value <= _MAX_VERSION else None


def start_us_of(span: Span) -> int:
    """Return when the span began, in microseconds since the epoch; without a start, its end."""
    return (span.start_ns or span.end_ns) // 1000


def execution_of(span: Span, tool_name: str, version_id: int | None, rules: SpanRules) -> Execution:
    """Return the execution. Raises Rejected that says what is wrong with the span."""
    if not span.end_ns:
        raise Rejected("the span has no end")
    attributes = span.attributes
    success = span.status != ERROR and text_of(attributes, ("error.type",)) is None
    error, error_type = (None, None) if success else _error_of(span)
    return Execution(
        execution_id=_execution_id(span),
        tool_name=tool_name,
        version_id=version_id,
        success=success,
        error=error,
        error_type=error_type,
        executed_at=_EPOCH + timedelta(microseconds=span.end_ns // 1000),
        duration_ms=_duration_ms(span),
        session_id=_short(text_of(attributes, _SESSIONS)),
        caller=_short(text_of(attributes, (rules.caller,))) if rules.caller else None,
        input_hash=_input_hash(attributes),
    )


def _execution_id(span: Span) -> UUID:
    for name, value, size in (("trace", span.trace_id, 32), ("span", span.span_id, 16)):
        if len(value) != size or not _is_hex(value) or not value.strip("0"):
            raise Rejected(f"{value[:50]!r} is no id of a {name}: it must be {size} hex digits")
    return execution_id_of(int(span.trace_id, 16), int(span.span_id, 16))


def _is_hex(text: str) -> bool:
    return not text.strip("0123456789abcdefABCDEF")


def _error_of(span: Span) -> tuple[str | None, str | None]:
    """Return the message of a failure, and the class of the exception."""
    events = (each.attributes for each in reversed(span.events) if each.name == "exception")
    exception: Attributes = next(events, {})
    raised = text_of(exception, ("exception.type",))
    given = text_of(span.attributes, ("error.type",))
    message = text_of(exception, ("exception.message",)) or span.message or raised or given
    if raised is not None:
        return message, raised.rpartition(".")[2] or raised
    return message, None if given in _NO_CLASS else given


def _duration_ms(span: Span) -> float | None:
    """Return how long it took; None if the start is not known, or lies after the end."""
    if not 0 < span.start_ns <= span.end_ns:
        return None
    return (span.end_ns - span.start_ns) / 1e6


def _short(text: str | None) -> str | None:
    return None if text is None else text[:_MAX_SHORT]


def _input_hash(attributes: Attributes) -> str | None:
    """Return the SHA-256 of the arguments, however they are spaced and ordered; None without."""
    value = next((attributes[name] for name in _ARGUMENTS if attributes.get(name)), None)
    if value is None:
        return None
    try:
        text = _canonical(value)
    except RecursionError:
        return None
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _canonical(value: Any) -> str:
    if not isinstance(value, str):
        return _json(value)
    if len(value) > _LONGEST_JSON:
        return value
    try:
        return _json(json.loads(value))
    except (ValueError, RecursionError):
        return value


def _json(value: Any) -> str:
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=bytes.hex
    )
