"""A span where it ends and the same span in OTLP: one execution, which counts once."""

from collections.abc import Sequence
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, Status, StatusCode

from agents.bridge.protobuf_traces import read_protobuf
from rollguard_client import Rollguard, RollguardSpanProcessor
from rollguard_client.messages.execution import Execution
from rollguard_client.publishing.publisher import Publisher
from rollguard_client.spans.activations import Activations
from rollguard_client.spans.execution_of import execution_of, tool_name_of
from rollguard_client.spans.sdk_span import span_of
from rollguard_client.spans.tool_spans import SpanRules, passed_over

_TOOL = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "words"}


def _spans(*processors: Any) -> Sequence[ReadableSpan]:
    """Return spans of tools of every kind, as an exporter gets them."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    for each in (*processors, SimpleSpanProcessor(exporter)):
        provider.add_span_processor(each)
    tracer = provider.get_tracer("test")
    for kind in SpanKind:
        attributes: dict[str, Any] = _TOOL | {
            "session.id": "s",
            "input.value": '{"b": [1, 2.5], "a": "é"}',
            "mcp.method.name": "tools/call",
        }
        with tracer.start_as_current_span("good", kind=kind, attributes=attributes):
            pass
    listed = _TOOL | {"input.value": ["a", "b"]}
    with (
        pytest.raises(TypeError),
        tracer.start_as_current_span("bad", attributes=listed),
    ):
        raise TypeError("no")
    with tracer.start_as_current_span("said", attributes=_TOOL) as span:
        span.set_status(Status(StatusCode.ERROR, "said"))
    return exporter.get_finished_spans()


@pytest.mark.parametrize("mcp", ["skip", "client", "server"])
def test_both_make_the_same_execution_of_a_span(mcp: Any) -> None:
    rules, spans = SpanRules(mcp, caller="session.id"), _spans()
    sent = list(read_protobuf(encode_spans(spans).SerializeToString()).tool_spans)
    assert len(sent) == len(spans) == len(SpanKind) + 2
    for ours, theirs in zip(map(span_of, spans), sent, strict=True):
        assert passed_over(ours, rules) == passed_over(theirs, rules)
        name = tool_name_of(theirs, rules)
        assert execution_of(ours, name, 7, rules) == execution_of(theirs, name, 7, rules)


def test_a_bridge_passes_over_what_the_processor_has_published(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put: list[Execution] = []
    monkeypatch.setattr(Publisher, "publish", lambda _self, message, _trace: put.append(message))
    monkeypatch.setattr(Activations, "start", lambda _self: None)
    guard = Rollguard(kafka_brokers="127.0.0.1:1")
    sent = read_protobuf(encode_spans(_spans(RollguardSpanProcessor(guard))).SerializeToString())
    assert {passed_over(each, SpanRules()) for each in sent.tool_spans} <= {"published", "mcp"}
    assert len(put) == len(SpanKind) - 2 + 2
