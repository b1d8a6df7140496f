"""OTLP in protobuf (`otlp_proto`): spans that are no tool's are only counted.

To look at each span in Python takes longer than to parse it. So a message in which no marker of
tools occurs is not looked at.
"""

from collections.abc import Iterator
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from agents.bridge.traces import MARKERS_IN_BYTES, Traces
from rollguard_client.spans.span import Span, SpanEvent
from rollguard_client.spans.tool_spans import MARKERS
from schemas.errors import Rejected


def read_protobuf(data: bytes) -> Traces:
    """Return the spans of a message. Raises Rejected if it is none."""
    message = TracesData()
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise Rejected(f"not OTLP in protobuf: {error}") from None
    if data and not message.resource_spans:
        raise Rejected("not OTLP: the message has no field resource_spans")
    number = sum(
        len(scope.spans) for resource in message.resource_spans for scope in resource.scope_spans
    )
    may_have_tools = any(name in data and value in data for name, value in MARKERS_IN_BYTES)
    return Traces(number, _tool_spans(message) if may_have_tools else ())


def partial_success(rejected: int, error: str) -> bytes:
    """Return the answer of an endpoint that has taken all spans but these."""
    partial = ExportTracePartialSuccess(rejected_spans=rejected, error_message=error)
    answer = ExportTraceServiceResponse(partial_success=partial if rejected else None)
    return bytes(answer.SerializeToString())


def status(text: str) -> bytes:
    """Return the body of an answer that refuses a request: a message of the type `Status`.

    Its text is field 2, as the text of this message is. The package with `Status` is not needed.
    """
    return bytes(ExportTracePartialSuccess(error_message=text).SerializeToString())


def _tool_spans(message: Any) -> Iterator[Span]:
    for resource in message.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                if _is_marked(span):
                    yield _span(span)


def _is_marked(span: Any) -> bool:
    for attribute in span.attributes:
        marker = MARKERS.get(attribute.key)
        if marker is not None and attribute.value.string_value == marker:
            return True
    return False


def _span(span: Any) -> Span:
    return Span(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        kind=span.kind,
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        status=span.status.code,
        message=span.status.message,
        attributes=_dict(span.attributes),
        events=[SpanEvent(event.name, _dict(event.attributes)) for event in span.events],
    )


def _dict(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    match kind:
        case None:
            return None
        case "array_value":
            return [_value(each) for each in value.array_value.values]
        case "kvlist_value":
            return _dict(value.kvlist_value.values)
        case _:
            return getattr(value, kind)
