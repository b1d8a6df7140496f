"""What the bridge needs for spans: those of tools, and the many that are none."""

import json
import time
from collections.abc import Sequence
from functools import partial
from typing import Final

import typer

from bench.results import Result, show
from bench.setup.environment import Environment, Worker
from bench.setup.servers import with_servers
from rollguard.operations.setup import create_missing_topic_of_spans
from rollguard_client.spans.span import Span
from streams.admin import kafka_admin
from tests.support.traces.spans import chat_span, in_json, in_protobuf, tool_span

PART: Final = "bridge"
_IN_A_RECORD: Final = 200
_LEAST_A_SECOND: Final = 20_000
"""So many spans that are no tool's one core must read in a second."""


async def bridge(
    brokers: str, dsn: str, rounds: int = 3, spans: int = 200_000, tool_spans: int = 20_000
) -> list[Result]:
    """Let one bridge read spans of chats, with twelve attributes each, and spans of tools.

    A record holds 200 spans. Chats have 1.5 KB each. "No attribute of it" are spans of a program
    that traces no tools at all. Of the mixed ones, every fiftieth is a tool's. The CPU is that of
    the worker for one span, from the sending of the records until all are committed. The bridge
    must read 20,000 spans a second on one core if they are no tool's.
    """
    found: dict[str, list[tuple[float, float]]] = {}
    async with Environment.made(brokers, dsn) as environment:
        await create_missing_topic_of_spans(environment.settings)
        try:
            (worker,) = await environment.start("bridge")
            for _ in range(rounds):
                for what, values, number in _cases(spans, tool_spans):
                    taken = await _taken(environment, worker, values)
                    each = (1e6 * taken[0] / number, number / taken[1])
                    found.setdefault(what, []).append(each)
        finally:
            async with kafka_admin(environment.settings) as admin:
                await admin.delete_topics([environment.settings.bridge.bridge_topic])
    results = []
    for what, measured in found.items():
        results.append(Result(PART, what, "CPU", "µs", tuple(cpu for cpu, _ in measured)))
        results.append(Result(PART, what, "a second", "", tuple(rate for _, rate in measured)))
    slow = [each for each in results if "no tool" in each.what and each.measure == "CPU"]
    most_us = 1e6 / _LEAST_A_SECOND
    assert all(each.median <= most_us for each in slow), f"a span takes more than {most_us:g} µs"
    return results


def _cases(spans: int, tool_spans: int) -> Sequence[tuple[str, Sequence[bytes], int]]:
    """Return the name of each case, its records and how many spans these hold."""
    chats = [chat_span(number) for number in range(1, _IN_A_RECORD + 1)]
    bare = [each._replace(attributes={"http.request.method": "GET"}) for each in chats]
    tools = [tool_span(number) for number in range(1, _IN_A_RECORD + 1)]
    mixed = [tools[n] if n % 50 == 0 else chat for n, chat in enumerate(chats)]
    many, few = spans // _IN_A_RECORD, tool_spans // _IN_A_RECORD
    return [
        ("no tool, no attribute of it", [in_protobuf(*bare)] * many, many * _IN_A_RECORD),
        ("no tool, protobuf", [in_protobuf(*chats)] * many, many * _IN_A_RECORD),
        ("no tool, JSON", [_in_json(chats)] * many, many * _IN_A_RECORD),
        ("mixed, protobuf", [in_protobuf(*mixed)] * many, many * _IN_A_RECORD),
        ("tools, protobuf", [in_protobuf(*tools)] * few, few * _IN_A_RECORD),
        ("tools, JSON", [_in_json(tools)] * few, few * _IN_A_RECORD),
    ]


def _in_json(spans: Sequence[Span]) -> bytes:
    return json.dumps(in_json(*spans)).encode()


async def _taken(
    environment: Environment, worker: Worker, values: Sequence[bytes]
) -> tuple[float, float]:
    """Return the CPU and the time until all records are committed, in seconds."""
    cpu_s, begin = worker.cpu_s, time.perf_counter()
    topic = environment.settings.bridge.bridge_topic
    for number, value in enumerate(values):
        await environment.producer.send(topic, value, partition=number % 4)
    await environment.producer.flush()
    await environment.groups.caught_up(["bridge"])
    return worker.cpu_s - cpu_s, time.perf_counter() - begin


def main(rounds: int = 3, spans: int = 200_000, tool_spans: int = 20_000) -> None:
    """Measure, and print the table."""
    measured = partial(bridge, rounds=rounds, spans=spans, tool_spans=tool_spans)
    show(PART, with_servers(measured))


if __name__ == "__main__":
    typer.run(main)
