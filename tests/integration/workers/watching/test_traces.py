"""A rollback is one trace, from the call that failed to the engine's reload."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind

from rollguard_client import Rollguard
from tests.support.inputs.messages import execution
from tests.support.systems.shared import Start
from tests.support.systems.system import System
from tests.support.systems.workers import Workers
from tests.support.traces.otlp import ReceivedSpan, Receiver, otlp_receiver
from tests.support.waiting import until

GOOD = "def execute(text):\n    return text\n"
BAD = "def execute(text):\n    raise TypeError('no')\n"


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with otlp_receiver() as receiver:
        yield receiver


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def traced_workers(
    start_shared: Start, embedded_broker: str, receiver: Receiver
) -> AsyncIterator[Workers]:
    more = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    async with start_shared(embedded_broker, "detector", "applier", **more) as workers:
        yield workers


@pytest_asyncio.fixture
async def system(traced_workers: Workers) -> AsyncIterator[System]:
    async with System.of(traced_workers) as system:
        yield system


@pytest.fixture
def provider(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> TracerProvider:
    """Return the SDK of the engine, which sends its spans to the same receiver."""
    provider = TracerProvider(resource=Resource({"service.name": "engine"}), shutdown_on_exit=False)
    exporter = OTLPSpanExporter(f"{receiver.endpoint}/v1/traces")
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    return provider


def only(spans: list[ReceivedSpan], service: str, name: str) -> ReceivedSpan:
    (found,) = [each for each in spans if (each.service, each.name) == (service, name)]
    return found


async def test_a_rollback_is_one_trace(
    system: System, tool: str, receiver: Receiver, provider: TracerProvider, tmp_path: Any
) -> None:
    await system.deploy(tool, GOOD)
    prefix, brokers = system.settings.topic_prefix, ",".join(system.settings.kafka_brokers)
    with Rollguard(
        kafka_brokers=brokers, topic_prefix=prefix, data_dir=tmp_path, fetch_wait_ms=100
    ) as guard:

        @guard.managed(tool)
        async def parse(text: str) -> str:
            """Parse."""
            raise NotImplementedError

        assert await parse("a") == "a"
        await system.deploy(tool, BAD)
        await guard.registry.wait_for(tool, lambda loaded: loaded.version.activation == 2, 120)
        with provider.get_tracer("engine").start_as_current_span("chat") as span:
            trace_id = f"{span.get_span_context().trace_id:032x}"
            for _ in range(2):
                with pytest.raises(TypeError):
                    await parse("a")
        await guard.registry.wait_for(tool, lambda loaded: loaded.version.activation == 3, 120)

        async def is_whole() -> bool:
            return len(receiver.of_trace(trace_id)) == 11

        await until(is_whole)
    spans = receiver.of_trace(trace_id)
    chat = only(spans, "engine", "chat")
    judging = only(spans, "rollguard-detector", f"process {prefix}tool-executions")
    command = only(spans, "rollguard-detector", f"send {prefix}rollback-commands")
    applying = only(spans, "rollguard-applier", f"process {prefix}rollback-commands")
    parts = [
        only(spans, "rollguard-applier", name)
        for name in (
            "wait",
            "decide",
            "commit",
            f"send {prefix}tool-executions",
            f"send {prefix}tool-versions",
            f"send {prefix}rollback-outcomes",
        )
    ]
    version = parts[4]
    reload = only(spans, "engine", f"process {prefix}tool-versions")
    assert [each.parent_id for each in (chat, judging, command, applying, reload)] == [
        "",
        chat.span_id,
        judging.span_id,
        command.span_id,
        version.span_id,
    ]
    assert {each.parent_id for each in parts} == {applying.span_id}
    starts = [each.start_ns for each in parts]
    assert starts == sorted(starts)
    assert applying.attributes["rollguard.outcome"] == "applied"
    assert command.attributes["rollguard.reason"] == "signature_change"
    assert applying.attributes["rollguard.command_id"] == command.attributes["rollguard.command_id"]
    assert (
        reload.attributes["rollguard.activated_by.id"] == command.attributes["rollguard.command_id"]
    )
    assert reload.kind == applying.kind == _otlp(SpanKind.CONSUMER)


def _otlp(kind: SpanKind) -> int:
    return kind.value + 1


async def test_without_a_producers_trace_the_detector_begins_one(
    system: System, tool: str, receiver: Receiver
) -> None:
    """A deployment and a rollback of a program without spans have traces, too."""
    await system.deploy(tool, GOOD)
    await system.deploy(tool, BAD)
    await system.run(*(execution(tool, "TypeError: no") for _ in range(2)))

    async def is_whole() -> bool:
        return len(mine()) >= 3 * 7 + 2

    def mine() -> list[ReceivedSpan]:
        return [each for each in receiver.spans if each.attributes.get("rollguard.tool") == tool]

    await until(is_whole)
    spans = mine()
    roots = [each for each in spans if not each.parent_id]
    assert sorted(
        each.name.removeprefix(f"process {system.settings.topic_prefix}") for each in roots
    ) == [
        "tool-deployments",
        "tool-deployments",
        "tool-executions",
    ]
    assert len({each.trace_id for each in spans}) == 3
