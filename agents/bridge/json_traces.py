"""OTLP in JSON (`otlp_json`): ids are in hex, and long integers are texts.

protobuf's own reader of JSON takes ids for base64, and makes other ids of them without an error.
"""

from base64 import b64decode
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from agents.bridge.traces import Traces
from rollguard_client.spans.span import Span, SpanEvent
from rollguard_client.spans.tool_spans import MARKERS
from schemas.errors import Rejected


class _Object(msgspec.Struct, rename="camel"):
    """An object of OTLP; what it has besides is passed over."""


class _Value(_Object):
    """A value: at most one of these fields is given."""

    string_value: str | None = None
    bool_value: bool | None = None
    int_value: int | None = None
    double_value: float | str | None = None
    bytes_value: str | None = None
    array_value: "_Values | None" = None
    kvlist_value: "_Pairs | None" = None


class _Pair(_Object):
    key: str = ""
    value: _Value | None = None


class _Values(_Object):
    values: list[_Value] | None = None


class _Pairs(_Object):
    values: list[_Pair] | None = None


class _Event(_Object):
    name: str = ""
    attributes: list[_Pair] | None = None


class _Status(_Object):
    code: int = 0
    message: str = ""


class _Span(_Object):
    trace_id: str = ""
    span_id: str = ""
    kind: int = 0
    start_time_unix_nano: int = 0
    end_time_unix_nano: int = 0
    attributes: list[_Pair] | None = None
    events: list[_Event] | None = None
    status: _Status | None = None


class _Scope(_Object):
    spans: list[_Span] | None = None


class _Resource(_Object):
    scope_spans: list[_Scope] | None = None


class _Message(_Object):
    resource_spans: list[_Resource] | None = None


_DEEPEST: Final = 100
"""What is nested deeper in a value is left out. Protobuf refuses a message that is."""
_decode: Final = msgspec.json.Decoder(_Message, strict=False).decode
"""It is not strict because OTLP allows an integer to be a text."""


def read_json(data: bytes) -> Traces:
    """Return the spans of a message. Raises Rejected if it is none."""
    try:
        message = _decode(data)
    except (ValueError, RecursionError) as error:  # those of msgspec are ValueErrors
        raise Rejected(f"not OTLP in JSON: {error}") from None
    if message.resource_spans is None and data.strip() != b"{}":
        raise Rejected("not OTLP: the message has no field resourceSpans")
    spans = [
        span
        for resource in message.resource_spans or ()
        for scope in resource.scope_spans or ()
        for span in scope.spans or ()
    ]
    return Traces(len(spans), _tool_spans(spans))


def _tool_spans(spans: list[_Span]) -> Iterator[Span]:
    for span in spans:
        if any(_is_marker(pair) for pair in span.attributes or ()):
            yield _span(span)


def _is_marker(pair: _Pair) -> bool:
    marker = MARKERS.get(pair.key)
    return marker is not None and pair.value is not None and pair.value.string_value == marker


def _span(span: _Span) -> Span:
    status = span.status or _Status()
    return Span(
        trace_id=span.trace_id,
        span_id=span.span_id,
        kind=span.kind,
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        status=status.code,
        message=status.message,
        attributes=_dict(span.attributes),
        events=[SpanEvent(event.name, _dict(event.attributes)) for event in span.events or ()],
    )


def _dict(pairs: list[_Pair] | None, depth: int = 0) -> dict[str, Any]:
    return {pair.key: _value(pair.value, depth) for pair in pairs or ()}


def _value(value: _Value | None, depth: int) -> Any:
    if value is None or depth > _DEEPEST:
        return None
    if value.array_value is not None:
        return [_value(each, depth + 1) for each in value.array_value.values or ()]
    if value.kvlist_value is not None:
        return _dict(value.kvlist_value.values, depth + 1)
    if value.bytes_value is not None:
        return _bytes(value.bytes_value)
    simple = (value.string_value, value.bool_value, value.int_value, value.double_value)
    return next((each for each in simple if each is not None), None)


def _bytes(text: str) -> bytes | str:
    try:
        return b64decode(text, validate=True)
    except ValueError:
        return text
