"""Of spans that are no tool's the bridge does little more than to parse them.

How many it reads in a second is measured in `bench/parts/bridge.py`.
"""

import asyncio
import json
from collections.abc import Callable
from time import process_time
from unittest.mock import Mock

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from prometheus_client import CollectorRegistry

from agents.bridge.bridge_report import BridgeReport
from agents.bridge.json_traces import read_json
from agents.bridge.protobuf_traces import read_protobuf
from agents.bridge.span_executions import SpanExecutions
from agents.bridge.traces import Traces
from rollguard_client.spans.span import Span
from rollguard_client.spans.tool_spans import SpanRules
from tests.support.traces.spans import chat_span, in_json, in_protobuf

_SPANS = 2_000
_ROUNDS = 5


async def _nothing() -> None:
    return


def _text(*spans: Span) -> bytes:
    return json.dumps(in_json(*spans)).encode()


def _cpu_s(work: Callable[[], object]) -> float:
    begin = process_time()
    work()
    return process_time() - begin


@pytest.mark.parametrize(
    ("read", "write", "parse", "times"),
    [(read_protobuf, in_protobuf, TracesData.FromString, 5), (read_json, _text, json.loads, 2)],
    ids=["protobuf", "JSON"],
)
def test_a_span_of_no_tool_costs_little_more_than_its_parsing(
    read: Callable[[bytes], Traces],
    write: Callable[..., bytes],
    parse: Callable[[bytes], object],
    times: int,
) -> None:
    """To look at each span of protobuf in Python takes nine times as long as to parse it.

    Both are measured in turn, because the machine may have more to do at times.
    """
    record = write(*map(chat_span, range(1, _SPANS + 1)))
    report = BridgeReport(CollectorRegistry())
    executions = SpanExecutions("topic", SpanRules(), Mock(), report)

    def work() -> None:
        assert asyncio.run(executions.of(read(record), _nothing)).outgoing == []

    measured = [(_cpu_s(work), _cpu_s(lambda: parse(record))) for _ in range(_ROUNDS)]
    least_s, least_of_parsing_s = (min(each) for each in zip(*measured, strict=True))
    assert least_s < times * least_of_parsing_s
