"""What is committed: the records whose executions Kafka has acknowledged, and no other ones."""

import signal
from collections import Counter
from pathlib import Path

from aiokafka import TopicPartition

from rollguard.operations.setup import create_missing_topic_of_spans
from schemas.execution import Execution
from schemas.settings import load_settings
from streams.offsets import GroupOffsets, Offsets
from streams.topics import group_of
from tests.integration.bridge.spans_topic import BridgeSystem
from tests.support.traces.spans import in_protobuf, tool_span
from tests.support.waiting import until

_RECORDS = 20
ARMED_WORKER = "tests.support.systems.armed_worker"


async def test_a_bridge_that_dies_before_the_commit_loses_nothing(
    kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    system = await BridgeSystem.prepared(kafka, database_dsn, topic_prefix, tmp_path)
    system.spans_topic = f"{topic_prefix}otlp_spans"
    topic = {"ROLLGUARD_BRIDGE_TOPIC": system.spans_topic}
    await create_missing_topic_of_spans(
        load_settings(kafka_brokers=kafka, bridge_topic=system.spans_topic)
    )
    group = GroupOffsets(system.settings, group_of(system.settings, "bridge"))
    partitions = [TopicPartition(system.spans_topic, number) for number in range(4)]

    async def is_all_committed() -> bool:
        return all(each.lag == 0 for each in (await group.read(partitions)).values())

    async with system.connected():
        for n in range(1, _RECORDS + 1):
            # One by one, because of a batch the embedded broker's ListOffsets counts one record.
            await system.send_spans(in_protobuf(tool_span(n, gen_ai__tool__name=f"tool-{n % 3}")))
        armed = {"ROLLGUARD_TEST_CRASH_POINT": "kill:bridge.published"}
        worker = await system.spawn("bridge", ARMED_WORKER, **topic, **armed)
        assert await worker.wait() == -signal.SIGKILL
        before = (await group.read(partitions)).values()
        assert {each.committed for each in before} == {0}
        assert sum(each.end for each in before) == _RECORDS

        async with system.run_roles(["bridge"], **topic):
            await until(is_all_committed)
            assert (await system.page("bridge", "/v1/traces"))[0] in (0, 404)  # HTTP is off
        counted = await _ids(system)
        assert len(counted) == _RECORDS
        assert max(counted.values()) <= 2
        assert sum(counted.values()) > _RECORDS

        async with system.run_roles(["bridge"], **topic):
            await system.send_spans(in_protobuf(tool_span(99)))
            await until(is_all_committed)
        after = await _ids(system)
        assert sum(after.values()) == sum(counted.values()) + 1
        committed: list[Offsets] = list((await group.read(partitions)).values())
        assert sum(each.committed for each in committed) == _RECORDS + 1
    await group.close()


async def _ids(system: BridgeSystem) -> Counter[object]:
    """Return how often the log has each execution."""
    found: Counter[object] = Counter()
    async with system.reader(system.topics.executions) as reader:
        ends = await reader.end_offsets(reader.assignment())
        while any([await reader.position(tp) < end for tp, end in ends.items()]):
            for records in (await reader.getmany(timeout_ms=200)).values():
                found.update(Execution.from_bytes(each.value).execution_id for each in records)
    return found
