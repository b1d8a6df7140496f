"""The span processor and the decorator, with the SDK of OpenTelemetry: each call counts once."""

import asyncio
import importlib
import logging
import sys
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_ON,
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer

from rollguard_client import Misconfigured, Rollguard, RollguardSpanProcessor
from rollguard_client.messages.execution import Execution
from rollguard_client.publishing.publisher import Publisher
from rollguard_client.spans.activations import Activations
from rollguard_client.spans.ids import execution_id_of

GENAI = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "words"}
OPENINFERENCE = {"openinference.span.kind": "TOOL", "tool.name": "words"}
TRACELOOP = {"traceloop.span.kind": "tool", "traceloop.entity.name": "words"}


class Traced:
    """A program with spans, a processor and the decorator; what it publishes comes here."""

    def __init__(self, put: list[Any]) -> None:
        self.guard = Rollguard(kafka_brokers="127.0.0.1:1", topic_prefix="t-")
        self.exporter = InMemorySpanExporter()
        self._put = put

    def tracer(self, sampler: Sampler = ALWAYS_ON, *, processor: bool = True, **how: Any) -> Tracer:
        provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
        if processor:
            provider.add_span_processor(RollguardSpanProcessor(self.guard, **how))
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        return provider.get_tracer("test")

    @property
    def executions(self) -> list[Execution]:
        """What was published, as the server reads it, in its order."""
        return [
            Execution.from_bytes(each.record(lambda: str(uuid4())).value)
            if hasattr(each, "record")
            else each
            for each in self._put
        ]

    @property
    def spans(self) -> dict[str, ReadableSpan]:
        return {each.name: each for each in self.exporter.get_finished_spans()}

    def attribute(self, span: str, name: str) -> Any:
        return (self.spans[span].attributes or {}).get(name)


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> Traced:
    put: list[Any] = []
    monkeypatch.setattr(Publisher, "put", lambda _self, waiting: put.append(waiting))
    monkeypatch.setattr(Publisher, "publish", lambda _self, message, _trace: put.append(message))
    monkeypatch.setattr(Publisher, "start", lambda _self: None)
    monkeypatch.setattr(Activations, "start", lambda _self: None)
    return Traced(put)


def id_of(span: ReadableSpan) -> UUID:
    """Return the id that the span's execution must have."""
    context = span.get_span_context()
    assert context is not None
    return execution_id_of(context.trace_id, context.span_id)


@pytest.mark.parametrize("attributes", [GENAI, OPENINFERENCE, TRACELOOP])
def test_the_span_of_a_tool_is_an_execution(traced: Traced, attributes: dict[str, str]) -> None:
    tracer = traced.tracer()
    with tracer.start_as_current_span("chat", attributes={"gen_ai.operation.name": "chat"}):
        more = attributes | {"session.id": "s", "input.value": '{"text": "a secret"}'}
        with tracer.start_as_current_span("good", attributes=more):
            pass
        with (
            pytest.raises(KeyError),
            tracer.start_as_current_span("bad", attributes=attributes | {"error.type": "_OTHER"}),
        ):
            raise KeyError("no")
    good, bad = traced.executions
    assert (good.tool_name, good.success, good.session_id) == ("words", True, "s")
    assert good.execution_id == id_of(traced.spans["good"])
    assert good.duration_ms is not None
    assert len(good.input_hash or "") == 64
    assert (bad.success, bad.error, bad.error_type) == (False, "'no'", "KeyError")
    assert bad.execution_id == id_of(traced.spans["bad"])


def test_what_another_span_tells_and_wrong_arguments_are_passed_over(traced: Traced) -> None:
    tracer = traced.tracer()
    mcp = GENAI | {"mcp.method.name": "tools/call"}
    with (
        tracer.start_as_current_span("framework", attributes=GENAI),
        tracer.start_as_current_span("client", None, SpanKind.CLIENT, mcp),
        tracer.start_as_current_span("server", None, SpanKind.SERVER, GENAI),
    ):
        pass
    validation = GENAI | {"pydantic_ai.tool.failure_stage": "validation"}
    with tracer.start_as_current_span("validation", attributes=validation) as span:
        span.set_status(Status(StatusCode.ERROR))
    (execution,) = traced.executions
    assert execution.execution_id == id_of(traced.spans["framework"])


def test_the_settings_of_the_bridge_are_arguments(traced: Traced) -> None:
    tracer = traced.tracer(mcp="server", names={"words": "count_words"}, caller="enduser.id")
    attributes = GENAI | {"enduser.id": "anna"}
    with tracer.start_as_current_span("server", None, SpanKind.SERVER, attributes):
        pass
    (execution,) = traced.executions
    assert (execution.tool_name, execution.caller) == ("count_words", "anna")
    with pytest.raises(Misconfigured, match="mcp: 'all' is none of skip, client, server"):
        traced.tracer(mcp="all")


def test_a_decorated_call_in_the_span_of_its_tool_counts_once(traced: Traced) -> None:
    tracer = traced.tracer()

    @traced.guard.tool("words", version=7)
    def count(text: str) -> int:
        return len(text.split())

    with tracer.start_as_current_span("span", attributes=GENAI):
        assert count("a b") == 2
    (execution,) = traced.executions
    assert execution.execution_id == id_of(traced.spans["span"])
    assert execution.version_id == 7
    assert traced.attribute("span", "rollguard.version_id") == 7
    assert traced.attribute("span", "rollguard.tool_name") == "words"
    assert traced.attribute("span", "rollguard.span_processor") is True


def test_a_span_that_gets_its_name_later_counts_once_too(traced: Traced) -> None:
    tracer = traced.tracer(names={"raw": "words"})

    @traced.guard.tool
    async def words() -> None:
        raise KeyError

    attributes = {"openinference.span.kind": "TOOL"}
    with tracer.start_as_current_span("span", attributes=attributes) as span:
        with pytest.raises(KeyError):
            asyncio.run(words())
        span.set_attribute("tool.name", "raw")
    (execution,) = traced.executions
    assert (execution.success, execution.error_type) == (False, "KeyError")
    assert execution.execution_id == id_of(traced.spans["span"])


def test_a_span_that_is_not_the_current_one_counts_once_too(traced: Traced) -> None:
    """OpenInference makes spans of LangChain's tools beside the context."""
    tracer = traced.tracer(names={"raw": "words"})

    @traced.guard.tool
    def words() -> None:
        pass

    for name in ("words", "raw"):
        span = tracer.start_span("span", attributes=OPENINFERENCE | {"tool.name": name})
        words()
        span.end()
    assert len(traced.executions) == 2


def test_an_inner_tool_does_not_take_the_span_of_the_outer_one(traced: Traced) -> None:
    tracer = traced.tracer()

    @traced.guard.tool("letters", version=3)
    def letters() -> None:
        pass

    for attributes in (GENAI | {"rollguard.version_id": 7}, {"openinference.span.kind": "TOOL"}):
        with tracer.start_as_current_span("span", attributes=attributes) as span:
            letters()
            span.set_attribute("tool.name", "words")
    found = {(each.tool_name, each.version_id) for each in traced.executions}
    assert found == {("letters", 3), ("words", 7), ("words", None)}
    assert len({(each.tool_name, each.execution_id) for each in traced.executions}) == 4


def test_each_call_within_one_span_counts(traced: Traced) -> None:
    """A framework may try again within the span, and a tool may call itself."""
    tracer = traced.tracer()

    @traced.guard.tool
    def words(depth: int) -> None:
        if depth:
            words(depth - 1)

    with tracer.start_as_current_span("span", attributes=GENAI):
        words(1)
        words(0)
    assert len({each.execution_id for each in traced.executions}) == len(traced.executions) == 3
    first = id_of(traced.spans["span"])
    assert [each.execution_id == first for each in traced.executions].count(True) == 1


def test_the_decorator_says_the_version_without_a_processor(traced: Traced) -> None:
    """So that a bridge passes over the span."""
    tracer = traced.tracer(processor=False)

    @traced.guard.tool("words", version=7)
    def words() -> Iterator[int]:
        yield 1

    with tracer.start_as_current_span("span", attributes=GENAI):
        list(words())
    list(words())
    assert traced.attribute("span", "rollguard.version_id") == 7
    first, second = traced.executions
    assert first.execution_id == id_of(traced.spans["span"])
    assert second.execution_id != first.execution_id


def test_a_strange_span_does_no_harm_to_a_call(
    traced: Traced, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise RuntimeError("strange")

    def five() -> int:
        return 5

    monkeypatch.setattr("opentelemetry.trace.get_current_span", fail)
    tool = traced.guard.tool("words")(five)
    assert [tool(), tool()] == [5, 5]
    assert len(traced.executions) == 2
    assert caplog.text.count("the current span could not be marked") == 1


@pytest.mark.parametrize(
    ("sampler", "warns"),
    [
        (ALWAYS_ON, False),
        (ParentBased(ALWAYS_ON), False),
        (TraceIdRatioBased(0.9999999), True),
        (ParentBased(TraceIdRatioBased(0.9999999)), True),
    ],
)
def test_a_sampler_that_drops_spans_is_said_once(
    traced: Traced, caplog: pytest.LogCaptureFixture, sampler: Sampler, warns: bool
) -> None:
    tracer = traced.tracer(sampler)
    for _ in range(2):
        with tracer.start_as_current_span("span", attributes=GENAI):
            pass
    assert caplog.text.count("may drop spans of tools") == warns
    assert len(traced.executions) == 2


class RecordsOnly(Sampler):
    def should_sample(self, *args: Any, attributes: Any = None, **_named: Any) -> SamplingResult:
        return SamplingResult(Decision.RECORD_ONLY, attributes or args[4])

    def get_description(self) -> str:
        return "AlwaysOnSampler"


def test_unsampled_spans_that_are_recorded_count_and_are_said_once(
    traced: Traced, caplog: pytest.LogCaptureFixture
) -> None:
    tracer = traced.tracer(RecordsOnly())
    for _ in range(2):
        with tracer.start_as_current_span("span", attributes=GENAI):
            pass
    assert len(traced.executions) == 2
    assert caplog.text.count("the sampler only records spans of tools") == 1


def test_spans_that_are_no_executions_are_said_once(
    traced: Traced, caplog: pytest.LogCaptureFixture
) -> None:
    tracer = traced.tracer()
    for name in ("", "x" * 256, "y" * 256):
        attributes = {"openinference.span.kind": "TOOL", "tool.name": name}
        with tracer.start_as_current_span("span", attributes=attributes):
            pass
    assert traced.executions == []
    assert [each.levelno for each in caplog.records] == [logging.WARNING]
    assert "no name of it" in caplog.text


def test_flushing_says_whether_kafka_has_all(
    traced: Traced, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[float | None] = []

    def flush(_self: Publisher, wait_s: float | None) -> bool:
        given.append(wait_s)
        return True

    monkeypatch.setattr(Publisher, "flush", flush)
    processor = RollguardSpanProcessor(traced.guard)
    assert processor.force_flush(1_500)
    processor.shutdown()
    assert given == [1.5, None]


def test_it_has_a_client_of_its_own_if_none_is_given(
    traced: Traced, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROLLGUARD_TOPIC_PREFIX", "own-")
    closed: list[str] = []
    monkeypatch.setattr(Rollguard, "close", lambda self: closed.append(self.settings.topic_prefix))
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(RollguardSpanProcessor())
    with provider.get_tracer("test").start_as_current_span("span", attributes=GENAI):
        pass
    provider.shutdown()
    assert [each.tool_name for each in traced.executions] == ["words"]
    assert closed == ["own-"]


def test_without_the_sdk_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import rollguard_client

    monkeypatch.delitem(sys.modules, "rollguard_client.spans.processor")
    monkeypatch.delitem(vars(rollguard_client), "RollguardSpanProcessor", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(ModuleNotFoundError, match=r"rollguard-client\[opentelemetry\]"):
        _ = rollguard_client.RollguardSpanProcessor
    monkeypatch.undo()
    assert importlib.import_module("rollguard_client.spans.processor")
    with pytest.raises(AttributeError, match="no attribute 'Other'"):
        _ = rollguard_client.Other
