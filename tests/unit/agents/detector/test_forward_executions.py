"""A detector that may not write executions reports what lies in a wrong partition."""

from typing import cast

from aiokafka.errors import TopicAuthorizationFailedError
from aiokafka.structs import ConsumerRecord
from prometheus_client.registry import CollectorRegistry

from agents.detector.forward_executions import ForwardExecutions
from schemas.settings import Settings
from streams.driver.outbox import Outbox, RecordCopy
from streams.forwarding import HEADER
from streams.partitions import partition_of
from streams.records import RecordValidator

TOOLS = [f"tool-{number}".encode() for number in range(20)]


class Broker:
    """Notes what is appended, or allows nothing."""

    def __init__(self, *, allows: bool) -> None:
        self.allows = allows
        self.appended: dict[int, list[RecordCopy]] = {}

    async def append(self, topic: str, copies: dict[int, list[RecordCopy]]) -> None:
        assert topic == "tool-executions"
        if not self.allows:
            raise TopicAuthorizationFailedError(topic)
        self.appended = copies


def records() -> list[ConsumerRecord]:
    return [
        ConsumerRecord("t", 3, 100 + at, 1, 0, key, b"%d" % at, None, len(key), 1, [("a", b"b")])
        for at, key in enumerate(TOOLS)
    ]


def forwarding(broker: Broker, registry: CollectorRegistry) -> ForwardExecutions:
    validator = RecordValidator(Settings(), 4)
    return ForwardExecutions(cast(Outbox, broker), validator, Settings(), registry)


async def test_each_goes_to_the_partition_of_its_key_in_its_order() -> None:
    broker, registry = Broker(allows=True), CollectorRegistry()
    assert await forwarding(broker, registry).forward(records()) == []
    for partition, copies in broker.appended.items():
        expected = [at for at, key in enumerate(TOOLS) if partition_of(key, 4) == partition]
        assert [copy.value for copy in copies] == [b"%d" % at for at in expected]
        for at, copy in zip(expected, copies, strict=True):
            assert copy.headers == [("a", b"b"), (HEADER, b"3/%d" % (100 + at))]
    assert sum(map(len, broker.appended.values())) == len(TOOLS)
    assert registry.get_sample_value("rollguard_forwarded_executions_total") == len(TOOLS)


async def test_what_kafka_does_not_allow_is_a_dead_letter() -> None:
    registry = CollectorRegistry()
    refused = await forwarding(Broker(allows=False), registry).forward(records())
    assert [each.record.offset for each in refused] == [100 + at for at in range(len(TOOLS))]
    assert "murmur2" in refused[0].error
    assert registry.get_sample_value("rollguard_forwarded_executions_total") == 0
    assert await forwarding(Broker(allows=False), CollectorRegistry()).forward([]) == []
