"""A forged source with an offset that its partition cannot have says nothing."""

from collections.abc import Mapping, Sequence
from typing import cast

from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError

from agents.detector.source_ends import SourceEnds
from policy.state.forwarding import SLACK
from policy.state.log import LogRecord, Source
from schemas.execution_entry import ExecutionEntry
from schemas.settings import Settings
from streams.driver.driver import Driver
from streams.waits import Waits
from tests.support.inputs.messages import execution


class Broker:
    """Answers with the ends of partitions; it does not answer the first question."""

    def __init__(self, ends: Mapping[int, int]) -> None:
        self.ends = ends
        self.asked: list[list[int]] = []

    async def ends_of(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        self.asked.append(sorted(each.partition for each in partitions))
        if len(self.asked) == 1:
            raise KafkaConnectionError
        return {each: self.ends[each.partition] for each in partitions}


def copy(partition: int, offset: int) -> LogRecord:
    entry = ExecutionEntry.of(execution("parser"))
    return LogRecord.of(1, 1, entry, Source(partition, offset))


async def test_a_partition_is_asked_for_its_end_when_that_may_be_passed() -> None:
    broker = Broker({0: 5, 3: 10**6})
    ends = SourceEnds(cast(Driver, broker), Settings(), Waits())
    possible = [copy(0, 4), copy(3, 10**6 - 1), copy(0, SLACK - 1)]
    await ends.forget_impossible(possible)
    assert broker.asked == [[3], [3]], "of partition 0 nothing had to be known"
    impossible = [copy(0, 5 + SLACK), copy(0, 2**63 - 1), copy(3, 10**6 + SLACK)]
    await ends.forget_impossible([*possible, *impossible])
    assert broker.asked[2:] == [[0, 3]]
    assert all(each.source is not None for each in possible)
    assert all(each.source is None for each in impossible)
    await ends.forget_impossible([copy(3, 10**6 + SLACK - 1)])
    assert len(broker.asked) == 3
