"""Trace contexts in headers: what is read, what is refused, and what is published with them."""

import asyncio
from contextlib import suppress
from typing import Any
from unittest.mock import Mock
from uuid import uuid4

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace import StatusCode, Tracer

from rollguard_client import Rollguard, RollguardSpanProcessor
from rollguard_client.http.console import Console
from rollguard_client.messages.execution import Execution
from rollguard_client.publishing.buffer import Record
from rollguard_client.publishing.publisher import Publisher
from rollguard_client.spans.activations import Activations
from rollguard_client.traces.context import (
    TraceContext,
    derived_span_id,
    derived_trace_id,
    headers_of,
    is_in_sample,
    trace_context_in,
)
from rollguard_client.traces.reload import cause_in, end_reload

GOOD = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
CONTEXT = TraceContext(0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7)
LONG = b"a=" + b"b" * 257


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([("traceparent", GOOD)], CONTEXT),
        ([("x", b"y"), ("traceparent", GOOD)], CONTEXT),
        ([("traceparent", GOOD[:-1] + b"0")], CONTEXT._replace(is_sampled=False)),
        ([("traceparent", b"cc" + GOOD[2:] + b"-more")], CONTEXT),
        (
            [("traceparent", GOOD), ("tracestate", b"a=1, b@c=2"), ("tracestate", b"d=3")],
            CONTEXT._replace(state="a=1,b@c=2,d=3"),
        ),
        ([("traceparent", GOOD), ("tracestate", b"a=1,,b=2")], CONTEXT._replace(state="a=1,b=2")),
    ],
)
def test_what_is_in_the_form_is_read(headers: Any, expected: TraceContext) -> None:
    read = trace_context_in(headers)
    assert read == expected
    assert trace_context_in(headers_of(read)) == expected


@pytest.mark.parametrize(
    "parent",
    [
        None,
        b"",
        GOOD[:-1],
        GOOD + b"0",
        GOOD + b"-more",
        GOOD.upper(),
        b" " + GOOD,
        GOOD + b"\n",
        b"ff" + GOOD[2:],
        b"00-" + b"0" * 32 + GOOD[35:],
        GOOD[:36] + b"0" * 16 + b"-01",
        b"cc" + GOOD[2:] + b"-" + b"x" * 256,
        "00-４bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".encode(),
        b"\xff" * 55,
    ],
)
def test_what_is_not_in_the_form_says_nothing(parent: bytes | None) -> None:
    assert trace_context_in([("traceparent", parent), ("tracestate", b"a=1")]) is None


def test_two_parents_say_nothing() -> None:
    assert trace_context_in([("traceparent", GOOD), ("traceparent", GOOD)]) is None
    assert trace_context_in([]) is None


@pytest.mark.parametrize(
    "state",
    [
        b"a",
        b"=1",
        b"a=",
        b"A=1",
        b"a=1\n",
        b"a=b=c",
        LONG,
        b"a=\xc3\xa9",
        b",".join(b"k%d=1" % n for n in range(33)),
        b",".join(b"k%d=12345678901234567890" % n for n in range(30)),
    ],
)
def test_a_wrong_state_leaves_the_parent(state: bytes) -> None:
    assert trace_context_in([("traceparent", GOOD), ("tracestate", state)]) == CONTEXT


def test_ids_that_follow_from_a_text_are_always_the_same() -> None:
    assert derived_trace_id("a") == derived_trace_id("a") != derived_trace_id("b")
    assert derived_span_id("a") == derived_span_id("a") != derived_span_id("b")
    assert 0 < derived_trace_id("a") < 2**128
    assert 0 < derived_span_id("a") < 2**64


def test_the_ratio_is_the_part_that_is_sampled() -> None:
    ids = [derived_trace_id(str(number)) for number in range(2_000)]
    assert all(is_in_sample(each, 1.0) for each in ids)
    assert not any(is_in_sample(each, 0.0) for each in ids)
    assert 400 < sum(is_in_sample(each, 0.25) for each in ids) < 600


class Program:
    """A program with spans; its records come here instead of to Kafka."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **provider: Any) -> None:
        self.records: list[Record] = []
        monkeypatch.setattr(
            Publisher,
            "put",
            lambda _self, waiting: self.records.append(waiting.record(lambda: str(uuid4()))),
        )
        monkeypatch.setattr(
            Publisher, "_put_record", lambda _self, record: self.records.append(record)
        )
        monkeypatch.setattr(Publisher, "start", lambda _self: None)
        monkeypatch.setattr(Activations, "start", lambda _self: None)
        self.guard = Rollguard(kafka_brokers="127.0.0.1:1")
        self.provider = TracerProvider(shutdown_on_exit=False, **provider)
        self.spans = InMemorySpanExporter()

    @property
    def tracer(self) -> Tracer:
        return self.provider.get_tracer("test")

    def context_of(self, tool: str) -> TraceContext | None:
        """Return what the headers of the tool's only record say."""
        (record,) = [each for each in self.records if each.key == tool.encode()]
        return trace_context_in(record.headers)


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Program:
    return Program(monkeypatch)


def test_a_call_names_the_span_in_which_it_runs(program: Program) -> None:
    @program.guard.tool("outer")
    def outer() -> None:
        inner()

    @program.guard.tool("inner")
    def inner() -> None: ...

    @program.guard.tool("without")
    def without() -> None: ...

    with program.tracer.start_as_current_span("chat") as span:
        outer()
    without()
    given = span.get_span_context()
    expected = TraceContext(given.trace_id, given.span_id)
    assert program.context_of("outer") == expected
    assert program.context_of("inner") == expected
    assert program.context_of("without") is None
    ids = [Execution.from_bytes(each.value).execution_id for each in program.records]
    assert len(set(ids)) == 3, "the span gives the id of one of them alone"


def test_a_span_that_is_not_recorded_is_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    program = Program(monkeypatch, sampler=ParentBased(ALWAYS_OFF))
    with program.tracer.start_as_current_span("chat"):
        program.guard.tool("parser")(lambda: None)()
    assert program.context_of("parser") is None


def test_an_execution_that_is_published_names_the_current_span(program: Program) -> None:
    execution = Execution.from_bytes(
        b'{"execution_id": "6f1b9fd4-7f3c-4a8e-9d5b-2f8f3c1f7a10", "tool_name": "parser", '
        b'"success": true, "executed_at": "2026-01-01T00:00:00Z"}'
    )
    with program.tracer.start_as_current_span("chat") as span:
        program.guard.publish(execution)
    given = span.get_span_context()
    assert program.context_of("parser") == TraceContext(given.trace_id, given.span_id)


def test_a_broken_sdk_keeps_nothing_from_being_published(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Mock(is_recording=Mock(return_value=True), get_span_context=Mock(side_effect=OSError))
    monkeypatch.setattr(trace, "get_current_span", lambda: broken)
    program.guard.tool("parser")(lambda: None)()
    assert program.context_of("parser") is None


def test_the_processor_names_the_span_that_it_makes_an_execution_of(program: Program) -> None:
    program.provider.add_span_processor(RollguardSpanProcessor(program.guard))
    about = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "parser"}
    with (
        program.tracer.start_as_current_span("chat"),
        program.tracer.start_as_current_span("tool", attributes=about) as span,
    ):
        pass
    given = span.get_span_context()
    assert program.context_of("parser") == TraceContext(given.trace_id, given.span_id)


def test_an_order_over_http_names_the_current_span(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Any] = []

    def answered(_self: Any, request: Any, _wait_s: float) -> Any:
        sent.append(dict(request.header_items()))
        raise OSError

    monkeypatch.setattr(Console, "_opened", answered)
    console = Console("http://127.0.0.1:1", None)

    async def order() -> None:
        with program.tracer.start_as_current_span("chat"):
            await console.send("POST", "/executions", [])

    with suppress(OSError):
        asyncio.run(order())
    with suppress(OSError):
        console.ask("GET", "/tools")
    ordered, asked = sent
    assert trace_context_in([("traceparent", ordered["Traceparent"].encode())]) is not None
    assert "Traceparent" not in asked


def version() -> Any:
    by = Mock(kind="rollback", id="c1")
    return Mock(tool_name="parser", version_id=7, version_number=2, activation=3, activated_by=by)


def record(*headers: tuple[str, bytes]) -> Any:
    return Mock(topic="tool-versions", partition=1, offset=5, timestamp=1_000, headers=headers)


def test_a_version_that_is_loaded_ends_its_trace(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: program.provider)
    program.provider.add_span_processor(SimpleSpanProcessor(program.spans))
    cause = cause_in(record(("traceparent", GOOD), ("tracestate", b"a=1")), version())
    assert cause is not None
    end_reload(cause, version(), None)
    end_reload(cause, version(), ImportError("no module"))
    good, bad = program.spans.get_finished_spans()
    assert good.parent is not None
    assert (good.parent.trace_id, good.parent.span_id) == CONTEXT[:2]
    assert good.parent.trace_state.to_header() == "a=1"
    assert (good.name, good.kind.name, good.start_time) == (
        "process tool-versions",
        "CONSUMER",
        1_000_000_000,
    )
    said = dict(good.attributes or {})
    assert said["rollguard.activated_by.id"] == "c1"
    assert (said["rollguard.version_id"], said["messaging.kafka.offset"]) == (7, 5)
    assert bad.status.status_code is StatusCode.ERROR
    assert (bad.attributes or {})["error.type"] == "ImportError"


def test_a_version_without_a_trace_has_no_span(program: Program) -> None:
    assert cause_in(None, version()) is None
    assert cause_in(record(), version()) is None
    assert cause_in(record(("traceparent", b"nonsense")), version()) is None


def test_a_trace_that_is_not_sampled_ends_without_a_span(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: program.provider)
    program.provider.add_span_processor(SimpleSpanProcessor(program.spans))
    cause = cause_in(record(("traceparent", GOOD[:-1] + b"0")), version())
    assert cause is not None
    end_reload(cause, version(), None)
    assert not program.spans.get_finished_spans()
