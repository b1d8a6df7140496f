"""The bridge reads records of the Collector's Kafka exporter, and publishes executions."""

import json
from base64 import b64decode
from uuid import uuid5

import pytest

from rollguard_client.spans.ids import NAMESPACE
from rollguard_client.spans.span import CLIENT, SERVER
from schemas.dead_letter import DeadLetter
from schemas.fields import time_of
from tests.integration.bridge.spans_topic import BridgeSystem
from tests.support.inputs.messages import version
from tests.support.traces.recorded_spans import recorded_in_json, recorded_in_protobuf
from tests.support.traces.spans import END_NS, START_NS, failed, in_json, in_protobuf, tool_span

_US = START_NS // 1000


@pytest.mark.parametrize("encoding", ["otlp_proto", "otlp_json"])
async def test_spans_become_executions_keyed_by_their_tool(
    bridge: BridgeSystem, tool: str, encoding: str
) -> None:
    spans = [
        tool_span(1, gen_ai__tool__name=tool, session__id="s", enduser__id="anna"),
        tool_span(2, gen_ai__operation__name="chat", gen_ai__tool__name=tool),
        failed(tool_span(3, gen_ai__tool__name=tool), type="a.TypeError", message="no"),
        tool_span(4, gen_ai__tool__name=tool, mcp__method__name="x")._replace(kind=CLIENT),
        tool_span(5, gen_ai__tool__name=tool)._replace(kind=SERVER),
        failed(
            tool_span(6, gen_ai__tool__name=tool, pydantic_ai__tool__failure_stage="validation")
        ),
    ]
    if encoding == "otlp_proto":
        value = in_protobuf(*spans)
    else:
        value = json.dumps(in_json(*spans, resource={"service.name": "shop"})).encode()
    await bridge.send_spans(value, key=b"a trace")
    good, bad = await bridge.executions(tool, 2)
    assert (good.success, good.session_id, good.caller) == (True, "s", "anna")
    assert good.execution_id == uuid5(NAMESPACE, f"{1:032x}{1:016x}")
    assert (good.executed_at, good.duration_ms) == (time_of(END_NS // 1000), 12.345678)
    assert (bad.success, bad.error, bad.error_type) == (False, "no", "TypeError")
    assert (bad.session_id, bad.caller) == (None, None)


async def test_the_version_is_that_which_was_active_when_the_span_began(
    bridge: BridgeSystem, tool: str
) -> None:
    """A batch of the SDK is sent some seconds later, when the new version is active already."""
    unknown = await bridge.count_of("rollguard_bridge_versions", "from", "none")
    for number, at_us in ((1, _US - 5_000), (2, _US + 5_000)):
        published = version(number, "code", tool, activated_at=time_of(at_us))
        await bridge.send(bridge.topics.versions, tool, published)
    straggler = tool_span(11, gen_ai__tool__name=tool)
    later_ns = 10_000_000
    spans = [
        straggler._replace(start_ns=START_NS - later_ns),
        straggler,
        straggler._replace(start_ns=START_NS + later_ns, end_ns=END_NS + later_ns),
        tool_span(12, gen_ai__tool__name=tool, rollguard__version_id=77),
    ]
    spans = [each._replace(span_id=f"{number:016x}") for number, each in enumerate(spans, 1)]
    await bridge.send_spans(in_protobuf(*spans))
    executions = await bridge.executions(tool, 4)
    assert [each.version_id for each in executions] == [None, 1, 2, 77]
    assert await bridge.count_of("rollguard_bridge_versions", "from", "none") == unknown + 1

    rolled_back = version(3, "code", tool, activated_at=time_of(_US + 20_000), version_id=1)
    await bridge.send(bridge.topics.versions, tool, rolled_back)
    newest = straggler._replace(start_ns=START_NS + 3 * later_ns, end_ns=END_NS + 3 * later_ns)
    await bridge.send_spans(in_protobuf(newest._replace(span_id="a" * 16)))
    assert [each.version_id for each in await bridge.executions(tool, 5)][-1] == 1


async def test_a_tool_may_have_another_name(bridge: BridgeSystem) -> None:
    await bridge.send_spans(in_protobuf(tool_span(21, gen_ai__tool__name="old name")))
    assert len(await bridge.executions("new name", 1)) == 1


async def test_a_bad_record_is_a_dead_letter_and_the_next_one_counts(
    bridge: BridgeSystem, tool: str
) -> None:
    nameless = failed(tool_span(32, gen_ai__tool__name=None), tool)
    good = in_protobuf(tool_span(31, gen_ai__tool__name=tool), nameless)
    garbage, broken_json = f"garbage of {tool}".encode(), f'{{"of": "{tool}'.encode()
    await bridge.send_spans(garbage, broken_json, good, key=b"a trace")
    assert len(await bridge.executions(tool, 1)) == 1
    found: list[DeadLetter] = []

    def is_ours(value: bytes) -> bool:
        letter = DeadLetter.from_bytes(value)
        if tool.encode() in b64decode(letter.value or ""):
            found.append(letter)
        return len(found) == 3

    await bridge.first(bridge.topics.dead_letters, is_ours)
    assert {(each.role, each.topic) for each in found} == {("bridge", bridge.spans_topic)}
    assert {each.error.partition(":")[0] for each in found} == {
        "not OTLP in protobuf",
        "not OTLP in JSON",
        "1 of 2 spans of tools",
    }
    assert {b64decode(each.key or "") for each in found} == {b"a trace"}


async def test_the_spans_that_frameworks_really_make(bridge: BridgeSystem) -> None:
    """What is an execution of them, and what of it, tests/unit/client/spans says."""
    for name in ("pydantic_ai", "langgraph_openinference", "openai_agents_openinference"):
        await bridge.send_spans(recorded_in_json(name))
    for name in ("langgraph_traceloop", "fastmcp", "pydantic_ai-decorated"):
        await bridge.send_spans(recorded_in_protobuf(name))
    executions = await bridge.executions("words", 11)
    assert len({each.execution_id for each in executions}) == 11
    assert [each.error_type for each in executions].count("TypeError") == 3


async def test_all_spans_of_a_large_record_count_in_their_order(
    bridge: BridgeSystem, tool: str
) -> None:
    spans = [tool_span(number, gen_ai__tool__name=tool) for number in range(1, 5_001)]
    await bridge.send_spans(in_protobuf(*spans))
    executions = await bridge.executions(tool, len(spans))
    assert len({each.execution_id for each in executions}) == len(spans)
    assert [each.execution_id for each in executions] == [
        uuid5(NAMESPACE, each.trace_id + each.span_id) for each in spans
    ]
