"""OTLP in its two encodings: both give the same spans, and what is no OTLP is refused."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from agents.bridge.json_traces import read_json
from agents.bridge.protobuf_traces import read_protobuf
from agents.bridge.traces import Traces
from rollguard_client.spans.span import Span
from schemas.errors import Rejected
from tests.support.traces.spans import failed, in_json, in_protobuf, tool_span

_NO_TOOL = tool_span(9, gen_ai__operation__name="chat")
_SPANS = [
    tool_span(1),
    _NO_TOOL,
    failed(tool_span(2), "said", type="a.TypeError", message="mé"),
    tool_span(3, gen_ai__operation__name=None, openinference__span__kind="TOOL"),
    tool_span(4, gen_ai__operation__name=None, traceloop__span__kind="tool"),
    tool_span(5, rollguard__version_id=7, a=1.5, b=True, c=[1, "x"], d={"e": {"f": b"\xff"}}),
    tool_span(6, openinference__span__kind="LLM", gen_ai__operation__name="chat"),
]
_TOOLS = [each for number, each in enumerate(_SPANS) if number not in (1, 6)]


def _given(span: Span) -> Span:
    """Return a span as it is read: an attribute without a value is there."""
    return span._replace(events=list(span.events))


def _read(traces: Traces) -> list[Span]:
    return list(traces.tool_spans)


def test_both_encodings_give_the_same_spans() -> None:
    binary, text = read_protobuf(in_protobuf(*_SPANS)), read_json(_text(in_json(*_SPANS)))
    assert binary.spans == text.spans == len(_SPANS)
    assert _read(binary) == _read(text) == [_given(each) for each in _TOOLS]


def test_ids_in_json_are_hex() -> None:
    """Protobuf's reader of JSON takes them for base64, and makes 24 other bytes of them."""
    (span,) = read_json(
        _text(in_json(tool_span()._replace(trace_id="0af7651916cd43dd" * 2)))
    ).tool_spans
    assert span.trace_id == "0af7651916cd43dd0af7651916cd43dd"


def test_integers_in_json_may_be_numbers_or_texts() -> None:
    message = in_json(tool_span(rollguard__version_id=7))
    span = message["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    expected = _read(read_json(_text(message)))
    span["startTimeUnixNano"] = int(span["startTimeUnixNano"])
    for pair in span["attributes"]:
        if "intValue" in pair["value"]:
            pair["value"]["intValue"] = 7
    assert _read(read_json(_text(message))) == expected


def test_what_may_be_left_out_or_is_unknown_does_no_harm() -> None:
    scope: dict[str, Any] = {"schemaUrl": "x", "spans": [{"new": {"a": [1]}}, {"attributes": None}]}
    message = {"resourceSpans": [{}, {"scopeSpans": [{}, scope]}], "new": 1}
    traces = read_json(_text(message))
    assert (traces.spans, _read(traces)) == (2, [])
    for empty in (b"{}", b' {"resourceSpans": []}'):
        assert read_json(empty).spans == 0
    assert read_protobuf(b"").spans == 0


@pytest.mark.parametrize("value", ["NaN", "Infinity", 1e300])
def test_numbers_that_only_json_of_protobuf_has(value: object) -> None:
    message = in_json(tool_span())
    pairs = message["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"]
    pairs.append({"key": "x", "value": {"doubleValue": value}})
    assert len(_read(read_json(_text(message)))) == 1


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"[]",
        b'{"a": 1}',
        b'{"resourceSpans": 5}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"kind": "x"}]}]}]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"startTimeUnixNano": "x"}]}]}]}',
        b'{"resourceSpans": ' + b"[" * 100_000,
        b'{"resourceSpans": [{"x": ' + b'{"x":' * 100_000,
        b'{"resourceSpans": "\xff"}',
    ],
)
def test_what_is_no_otlp_in_json_is_refused(data: bytes) -> None:
    with pytest.raises(Rejected, match="not OTLP"):
        read_json(data)


@pytest.mark.parametrize(
    "data", [b"hello", b"\x0a\x05abc", b"\xff" * 10, b'["x"]', b"\x12\x02hi", b"\x0a\x02\x12\xff"]
)
def test_what_is_no_otlp_in_protobuf_is_refused(data: bytes) -> None:
    with pytest.raises(Rejected, match="not OTLP"):
        read_protobuf(data)


def test_values_that_are_nested_too_deep_are_refused() -> None:
    value: Any = 1
    for _ in range(300):
        value = [value]
    with pytest.raises(Rejected, match="not OTLP"):
        read_protobuf(in_protobuf(tool_span(x=value)))


@pytest.mark.parametrize("inner", [lambda value: [value], lambda value: {"a": value}])
def test_what_is_nested_too_deep_in_json_is_left_out(inner: Callable[[Any], Any]) -> None:
    value: Any = 1
    for _ in range(150):
        value = inner(value)
    (span,) = read_json(_text(in_json(tool_span(x=value)))).tool_spans
    depth, found = 0, span.attributes["x"]
    while found is not None:
        (found,) = found if isinstance(found, list) else found.values()
        depth += 1
    assert depth == 101


def _text(message: object) -> bytes:
    return json.dumps(message).encode()
