"""Spans of tools, as frameworks make them, and their two encodings."""

from collections.abc import Mapping, Sequence
from typing import Any

from rollguard_client.spans.span import ERROR, Span, SpanEvent

START_NS = 1_790_000_000_000_000_000
END_NS = START_NS + 12_345_678
_CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.system": "openai",
    "gen_ai.request.model": "a-model",
    "gen_ai.request.temperature": 0.2,
    "gen_ai.usage.input_tokens": 1_234,
    "gen_ai.usage.output_tokens": 321,
    "gen_ai.response.id": "chatcmpl-0123456789",
    "gen_ai.conversation.id": "a-conversation",
    "gen_ai.input.messages": "a question of some length. " * 20,
    "gen_ai.output.messages": "an answer of some length. " * 20,
    "server.address": "api.example.org",
    "server.port": 443,
}


def tool_span(number: int = 1, **attributes: Any) -> Span:
    """Return the span of a call that succeeded. In names of attributes `__` stands for a dot."""
    return Span(
        trace_id=f"{number:032x}",
        span_id=f"{number:016x}",
        kind=1,
        start_ns=START_NS,
        end_ns=END_NS,
        status=0,
        message="",
        attributes={"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "words"}
        | {name.replace("__", "."): value for name, value in attributes.items()},
    )


def chat_span(number: int = 1) -> Span:
    """Return the span of a chat with a model, with a dozen attributes: that of no tool."""
    return tool_span(number)._replace(attributes=_CHAT)


def failed(span: Span, said: str = "", /, **exception: str) -> Span:
    """Return the span as one that failed, with an event of an exception if there is one."""
    attributes = {f"exception.{name}": value for name, value in exception.items()}
    events = [SpanEvent("exception", attributes)] if exception else []
    return span._replace(status=ERROR, message=said, events=events)


def in_json(*spans: Span, resource: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return a message of OTLP in JSON, as data."""
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": _pairs(resource or {})},
                "scopeSpans": [
                    {"scope": {"name": "test"}, "spans": [_json(each) for each in spans]}
                ],
            }
        ]
    }


def in_protobuf(*spans: Span) -> bytes:
    """Return a message of OTLP in protobuf."""
    from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

    message = TracesData()
    scope = message.resource_spans.add().scope_spans.add()
    for span in spans:
        added = scope.spans.add(
            trace_id=bytes.fromhex(span.trace_id),
            span_id=bytes.fromhex(span.span_id),
            name=_name(span),
            kind=span.kind,
            start_time_unix_nano=span.start_ns,
            end_time_unix_nano=span.end_ns,
            status={"code": span.status, "message": span.message},
        )
        _fill(added.attributes, span.attributes)
        for event in span.events:
            _fill(added.events.add(name=event.name).attributes, event.attributes)
    data: bytes = message.SerializeToString()
    return data


def _name(span: Span) -> str:
    return f"{span.attributes.get('gen_ai.operation.name', 'span')} a-name"


def _fill(pairs: Any, attributes: Mapping[str, Any]) -> None:
    for name, value in attributes.items():
        _set(pairs.add(key=name).value, value)


def _set(target: Any, value: Any) -> None:
    match value:
        case bool():
            target.bool_value = value
        case str():
            target.string_value = value
        case int():
            target.int_value = value
        case float():
            target.double_value = value
        case bytes():
            target.bytes_value = value
        case list():
            target.array_value.SetInParent()
            for each in value:
                _set(target.array_value.values.add(), each)
        case dict():
            target.kvlist_value.SetInParent()
            _fill(target.kvlist_value.values, value)


def _json(span: Span) -> dict[str, Any]:
    return {
        "traceId": span.trace_id,
        "spanId": span.span_id,
        "parentSpanId": "",
        "name": _name(span),
        "kind": span.kind,
        "startTimeUnixNano": str(span.start_ns),
        "endTimeUnixNano": str(span.end_ns),
        "attributes": _pairs(span.attributes),
        "events": [
            {
                "timeUnixNano": str(span.end_ns),
                "name": each.name,
                "attributes": _pairs(each.attributes),
            }
            for each in span.events
        ],
        "status": {"code": span.status, "message": span.message} if span.status else {},
    }


def _pairs(attributes: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return [{"key": name, "value": _value(value)} for name, value in attributes.items()]


def _value(value: Any) -> dict[str, Any]:
    from base64 import b64encode

    match value:
        case bool():
            return {"boolValue": value}
        case str():
            return {"stringValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case bytes():
            return {"bytesValue": b64encode(value).decode()}
        case list():
            return {"arrayValue": {"values": [_value(each) for each in value]}}
        case dict():
            return {"kvlistValue": {"values": _pairs(value)}}
    return {}
