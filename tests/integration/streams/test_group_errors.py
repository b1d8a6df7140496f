"""A broker that still loads a group: its commits are asked for again, not taken for missing."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
)
from aiokafka.protocol.commit import OffsetFetchRequest, OffsetFetchResponse_v3

from agents.worker.fatal import Fatal
from schemas.settings import Settings
from streams.first_offsets import begin_since
from streams.offsets import GroupOffsets
from streams.topics import Topics, group_of
from tests.support.systems.batch_reader import (
    Counting,
    assert_in_order,
    committed,
    publish,
    running,
)
from tests.support.waiting import until

_ERRORS = [GroupLoadInProgressError, NotCoordinatorForGroupError, GroupCoordinatorNotAvailableError]


class Coordinator:
    """Answers the next questions for commits as a broker does that is not ready for the group."""

    def __init__(self) -> None:
        self.answers: list[int] = []

    def loads(self) -> None:
        """Answer three questions with an error: those that a restarted Apache Kafka gives."""
        self.answers = [error.errno for error in _ERRORS]


@pytest.fixture
def coordinator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Coordinator]:
    """Yield what stands between all consumers and the broker."""
    found, send = Coordinator(), AIOKafkaClient.send

    async def answer(self: Any, node_id: Any, request: Any, **options: Any) -> Any:
        if found.answers and isinstance(request, OffsetFetchRequest):
            error = found.answers.pop(0)
            whole = OffsetFetchResponse_v3(0, [], error)
            return OffsetFetchResponse_v3.decode(whole.encode())
        return await send(self, node_id, request, **options)

    monkeypatch.setattr(AIOKafkaClient, "send", answer)
    yield found
    assert found.answers == []


async def commit(settings: Settings, group: str, at: dict[TopicPartition, int]) -> None:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=list(settings.kafka_brokers), group_id=group, enable_auto_commit=False
    )
    await consumer.start()
    consumer.assign(list(at))
    await consumer.commit(at)
    await consumer.stop()


async def test_offsets_of_a_group_that_is_still_loading(
    settings: Settings, coordinator: Coordinator
) -> None:
    await publish(settings, 20)
    group = group_of(settings, "detector")
    partition = TopicPartition(Topics.of(settings).executions, 0)
    await commit(settings, group, {partition: 1})
    offsets = GroupOffsets(settings, group)
    coordinator.loads()
    found = await offsets.read([partition])
    await offsets.close()
    assert found[partition].committed == 1


async def test_a_group_that_is_still_loading_is_not_a_new_one(
    settings: Settings, coordinator: Coordinator
) -> None:
    group = group_of(settings, "notifier-a")
    partition = TopicPartition(Topics.of(settings).executions, 0)
    await publish(settings, 20)
    await commit(settings, group, {partition: 1})
    coordinator.loads()
    later = datetime.now(UTC) + timedelta(seconds=60)
    assert not await begin_since(settings, group, [partition], later)


async def test_a_role_does_not_read_again_because_its_group_is_still_loading(
    settings: Settings, coordinator: Coordinator
) -> None:
    handler = Counting()
    await publish(settings, 40)
    async with running(settings, handler, Fatal()) as app:

        async def all_committed(total: int) -> bool:
            return handler.seen >= total and await committed(settings) == total

        await until(lambda: all_committed(40))
        coordinator.loads()
        await app.consumer.perform_seek()
        await publish(settings, 40)
        await until(lambda: all_committed(80))
    assert_in_order(handler)
