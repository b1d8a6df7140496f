"""Which work has a span, with which ids, and whether a role sends any."""

import asyncio
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from agents.detector.trace_commands import TraceCommands
from agents.traces.opening import opened_tracer
from agents.traces.otlp import OtlpSink
from agents.traces.span import Span
from agents.traces.tracer import Tracer
from policy.decision.fold import DecidedCommand
from rollguard_client.traces.context import TraceContext, headers_of, trace_context_in
from schemas.errors import Misconfigured
from schemas.settings import load_settings
from tests.support.inputs.messages import command_by_ann
from tests.support.traces.otlp import otlp_receiver
from tests.support.waiting import until

PARENT = TraceContext(1, 2, state="a=1")


def test_without_a_sink_a_trace_passes_through() -> None:
    work = Tracer().work("w", PARENT)
    assert work.headers == work.part("send").headers == headers_of(PARENT)
    assert not work.has_span
    assert Tracer().work("w", None).headers == []


def test_a_span_follows_the_flag_of_its_parent() -> None:
    spans: list[Span] = []
    tracer = Tracer(spans.append, ratio=0.0)
    sampled, not_sampled = PARENT, PARENT._replace(is_sampled=False)
    for parent in (sampled, not_sampled):
        tracer.end(tracer.work("w", parent), "w", "internal", 5, 4)
    (span,) = spans
    assert (span.parent, span.context.trace_id, span.context.state) == (PARENT, 1, "a=1")
    assert span.context.span_id != PARENT.span_id
    assert (span.start_ns, span.end_ns) == (4, 4), "two clocks"
    assert tracer.work("w", not_sampled).headers == headers_of(not_sampled)


def test_a_trace_that_begins_here_is_always_the_same() -> None:
    spans: list[Span] = []
    tracer = Tracer(spans.append)
    work = tracer.work("w", None)
    assert work.headers == Tracer(spans.append).work("w", None).headers
    assert work.headers != tracer.work("other", None).headers
    part = work.part("send")
    assert part.parent == work.context
    assert part.context != work.context
    tracer.end(work, "w", "internal", 1, 2)
    assert spans[0].parent is None


def test_a_trace_that_begins_here_and_is_not_sampled_says_so() -> None:
    work = Tracer(lambda _: None, ratio=0.0).work("w", None)
    assert not work.has_span
    assert work.context is not None
    assert not work.context.is_sampled
    assert work.part("send").headers == work.headers


def test_a_command_names_the_execution_that_caused_it_and_no_other() -> None:
    spans: list[Span] = []
    traced = TraceCommands(Tracer(spans.append), load_settings())
    records: list[Any] = [
        SimpleNamespace(
            topic="tool-executions",
            partition=0,
            offset=offset,
            timestamp=1_000,
            headers=headers_of(TraceContext(offset, offset)),
        )
        for offset in (3, 7, 9)
    ]
    decided = DecidedCommand(7, 1_000, command_by_ann("parser", from_version_id=2))
    (first,) = traced.of([decided], records)
    sent = trace_context_in(first.sending.headers)
    assert sent is not None
    assert sent.trace_id == 7
    again = traced.of([decided], records)
    assert again[0].sending.headers == first.sending.headers, "after a crash"
    traced.sent([first], time.time_ns())
    judging, sending = spans
    assert (judging.name, judging.kind) == ("process tool-executions", "consumer")
    assert (judging.parent, sending.parent) == (TraceContext(7, 7), judging.context)
    assert (sending.name, sending.context) == ("send rollback-commands", sent)


@pytest.mark.parametrize(
    ("role", "settings", "environment", "is_on"),
    [
        ("detector", {}, {}, False),
        ("detector", {"traces": "on"}, {}, True),
        ("detector", {}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, True),
        ("applier", {}, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1"}, True),
        ("recorder", {"traces": "on"}, {}, False),
        ("detector", {"traces": "off"}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a:1"}, False),
        ("detector", {"traces": "on"}, {"OTEL_SDK_DISABLED": "true"}, False),
        (
            "detector",
            {},
            {
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://a:1",
                "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
            },
            False,
        ),
    ],
)
async def test_whether_a_role_sends_spans(
    role: str,
    settings: dict[str, Any],
    environment: dict[str, str],
    is_on: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    async with opened_tracer(role, load_settings(**settings)) as tracer:
        assert tracer.work("w", None).has_span is is_on


async def test_traces_that_must_be_on_and_cannot_are_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    with pytest.raises(Misconfigured, match="not by 'grpc'"):
        async with opened_tracer("detector", load_settings(traces="on")):
            pass
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_PROTOCOL")
    monkeypatch.setattr("agents.traces.opening.find_spec", lambda _: None)
    with pytest.raises(Misconfigured, match=r"rollguard\[traces\]"):
        async with opened_tracer("detector", load_settings(traces="on")):
            pass


async def test_wrong_variables_of_opentelemetry_end_no_role(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://ann:secret@127.0.0.1:1/x")
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "-1")
    with structlog.testing.capture_logs() as events:
        async with opened_tracer("detector", load_settings()) as tracer:
            assert not tracer.work("w", None).has_span
        with pytest.raises(Misconfigured, match="max_queue_size"):
            async with opened_tracer("detector", load_settings(traces="on")):
                pass
        monkeypatch.delenv("OTEL_BSP_MAX_QUEUE_SIZE")
        async with opened_tracer("detector", load_settings()):
            pass
    assert [each["event"] for each in events] == ["traces_off", "traces_on"]
    assert events[1]["endpoint"] == "http://127.0.0.1:1/x/v1/traces", "without the login"


def span(name: str) -> Span:
    return Span(name, "internal", PARENT, None, 1, 2, {"n": 1}, error="it failed")


async def test_spans_that_wait_are_sent_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    with otlp_receiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
        sink = OtlpSink("detector")
        sink.take(span("a"))
        await sink.close()
        sink.take(span("late"))
    (received,) = receiver.spans
    assert (received.service, received.name, received.attributes) == (
        "rollguard-detector",
        "a",
        {"n": 1},
    )


async def test_a_receiver_that_hangs_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await released.wait()
        writer.close()

    asked, released = asyncio.Event(), asyncio.Event()
    async with await asyncio.start_server(hang, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "2")  # or the end of the test takes 30 s
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
        monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "4")
        monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1")
        monkeypatch.setattr("agents.traces.otlp._CLOSE_S", 0.05)
        sink = OtlpSink("detector")
        sink.take(span("first"))
        await asked.wait()
        for number in range(1_000):
            sink.take(span(str(number)))
        await sink.close()
        released.set()
        await until(_has_no_thread)  # or it would say in another test what it has lost


async def _has_no_thread() -> bool:
    return not any(each.name.startswith("OtelBatch") for each in threading.enumerate())
