"""The bridge takes spans over HTTP, from whoever sends OTLP and from the real SDK."""

import asyncio
import gzip
import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any
from uuid import uuid5

import aiohttp
import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Tracer, format_span_id, format_trace_id

from agents.worker.http.access import OPEN
from rollguard_client.spans.ids import NAMESPACE
from schemas.message import MAX_RECORD_BYTES
from tests.integration.bridge.spans_topic import BridgeSystem
from tests.support.traces.spans import in_json, in_protobuf, tool_span

_PROTOBUF = {"Content-Type": "application/x-protobuf"}
_JSON = {"Content-Type": "application/json"}


async def _post(bridge: BridgeSystem, body: bytes, **headers: str) -> tuple[int, bytes]:
    url = f"http://127.0.0.1:{bridge.ports['bridge']}/v1/traces"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with aiohttp.ClientSession() as session:
        try:
            async with session.post(url, data=BytesIO(body), headers=named) as answer:
                return answer.status, await answer.read()
        except (aiohttp.ClientConnectionError, ConnectionError):
            return 413, b""  # the rest of a body that is too long is not read


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("-", "_"): value for name, value in headers.items()}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("is_json", [False, True])
async def test_what_was_answered_with_200_lies_in_the_log(
    bridge: BridgeSystem, tool: str, is_json: bool, packed: bool
) -> None:
    span = tool_span(1, gen_ai__tool__name=tool)
    body = json.dumps(in_json(span)).encode() if is_json else in_protobuf(span)
    headers = _named(_JSON if is_json else _PROTOBUF)
    if packed:
        body, headers = gzip.compress(body), headers | {"Content_Encoding": "gzip"}
    assert await _post(bridge, body, **headers) == (200, b"{}" if is_json else b"")
    assert len(await bridge.executions(tool, 1)) == 1


async def test_the_answer_counts_what_will_never_be_an_execution(
    bridge: BridgeSystem, tool: str
) -> None:
    spans = [tool_span(1, gen_ai__tool__name=tool), tool_span(2, gen_ai__tool__name=None)]
    status, body = await _post(bridge, json.dumps(in_json(*spans)).encode(), **_named(_JSON))
    partial = json.loads(body)["partialSuccess"]
    assert (status, partial["rejectedSpans"]) == (200, "1")
    assert "1 of 2 spans of tools: the span of a tool has no name" in partial["errorMessage"]
    status, body = await _post(bridge, in_protobuf(*spans), **_named(_PROTOBUF))
    answer = ExportTraceServiceResponse.FromString(body).partial_success
    assert (status, answer.rejected_spans) == (200, 1)
    assert answer.error_message == partial["errorMessage"]


_BOMB = gzip.compress(b"\0" * 50_000_000)


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"garbage", _PROTOBUF, 400),
        (b"{", _JSON, 400),
        (b"{}", {"Content-Type": "text/plain"}, 415),
        (b"not packed", _PROTOBUF | {"Content-Encoding": "gzip"}, 400),
        (b"\0" * (MAX_RECORD_BYTES + 1), _PROTOBUF, 413),
        (_BOMB, _PROTOBUF | {"Content-Encoding": "gzip"}, 413),
        (b"{}", _JSON | {"Host": "attacker.example"}, 421),
    ],
)
async def test_what_is_hostile_is_refused_and_the_worker_stays_well(
    bridge: BridgeSystem, body: bytes, headers: dict[str, str], status: int
) -> None:
    answered, said = await _post(bridge, body, **_named(headers))
    assert answered == status
    if headers["Content-Type"] == "application/x-protobuf" and said:
        assert Status.FromString(said).message
    elif said and status != 421:  # which is no answer of this endpoint
        assert json.loads(said)["message"]
    assert await bridge.is_ready("bridge")


def test_the_endpoint_asks_for_the_token_as_all_others_do() -> None:
    assert "/v1/traces" not in OPEN


@pytest.fixture
def exporter(bridge: BridgeSystem) -> Iterator[OTLPSpanExporter]:
    url = f"http://127.0.0.1:{bridge.ports['bridge']}/v1/traces"
    exporter = OTLPSpanExporter(url, timeout=30)
    yield exporter
    exporter.shutdown()  # type: ignore[no-untyped-call]


async def test_the_real_sdk_over_http(
    bridge: BridgeSystem, tool: str, exporter: OTLPSpanExporter
) -> None:
    spans = await asyncio.to_thread(_call_tools, exporter, tool)
    await _require_executions(bridge, tool, spans)


async def test_the_real_sdk_over_kafka(bridge: BridgeSystem, tool: str) -> None:
    spans = _call_tools(InMemorySpanExporter(), tool)
    await bridge.send_spans(encode_spans(spans).SerializeToString())
    await _require_executions(bridge, tool, spans)


def _call_tools(exporter: Any, tool: str) -> list[ReadableSpan]:
    """Call a tool three times under spans of the SDK, and export them; return their spans."""
    provider = TracerProvider(resource=Resource.create({"service.name": "shop"}))
    kept = InMemorySpanExporter()
    for each in (exporter, kept):
        provider.add_span_processor(BatchSpanProcessor(each))
    tracer = provider.get_tracer("test")
    with tracer.start_as_current_span("chat"):
        for fails in (False, True, False):
            _call(tracer, tool, fails)
    provider.shutdown()
    return [each for each in kept.get_finished_spans() if each.name != "chat"]


def _call(tracer: Tracer, tool: str, fails: bool) -> None:
    attributes: dict[str, str | int] = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": tool,
        "gen_ai.conversation.id": "conversation",
        "rollguard.version_id": 7,
    }
    try:
        with tracer.start_as_current_span(f"execute_tool {tool}", attributes=attributes):
            if fails:
                raise TypeError("missing 1 required positional argument")
    except TypeError:
        pass


async def _require_executions(bridge: BridgeSystem, tool: str, spans: list[ReadableSpan]) -> None:
    executions = await bridge.executions(tool, 3)
    assert [each.success for each in executions] == [True, False, True]
    assert executions[1].error == "missing 1 required positional argument"
    assert executions[1].error_type == "TypeError"
    assert {each.session_id for each in executions} == {"conversation"}
    assert {each.version_id for each in executions} == {7}
    assert [each.execution_id for each in executions] == [
        uuid5(NAMESPACE, _ids_of(each)) for each in spans
    ]


def _ids_of(span: ReadableSpan) -> str:
    context = span.get_span_context()
    assert context is not None
    return format_trace_id(context.trace_id) + format_span_id(context.span_id)
