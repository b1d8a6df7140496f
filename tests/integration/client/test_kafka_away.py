"""Kafka is away, or is killed at work: tools run on, and all that is buffered arrives once."""

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rollguard_client import Rollguard
from tests.integration.client.broker import Broker, kill
from tests.integration.client.topics import make_topics, published
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(540)


@pytest.fixture(params=["embedded", pytest.param("apache", marks=pytest.mark.kafka)])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Broker:
    return Broker(request.param, tmp_path / "kafka")


def work(number: int) -> int:
    return number


async def call_many(tool: Callable[[int], int], count: int, seconds: float) -> None:
    """Call the tool so often within the time, and see that no call takes long."""
    slowest = 0.0
    for number in range(count):
        begin = time.thread_time()
        assert tool(number) == number
        slowest = max(slowest, time.thread_time() - begin)
        if number % 100 == 99:
            await asyncio.sleep(seconds * 100 / count)
    assert slowest < 0.5


def flushed(guard: Rollguard) -> Callable[[], Any]:
    async def is_flushed() -> bool:
        return not guard.buffered

    return is_flushed


async def test_what_is_called_before_kafka_is_there_arrives_later(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        guard = Rollguard(kafka_brokers=broker.address, flush_s=0)
        tool = guard.tool(work)
        await call_many(tool, 3_000, 3)
        assert (guard.buffered, guard.dropped) == (3_000, 0)
        assert not guard.flush(0.1)
        said = [each for each in caplog.records if each.levelno >= logging.WARNING]
        assert len(said) == 1, "once a minute, and aiokafka says nothing"
        assert said[0].name == "rollguard_client"
        assert broker.address in said[0].getMessage()
        with broker.runs():
            await make_topics(broker.address, "", "tool-executions")
            await until(flushed(guard))
            assert "takes executions again" in caplog.text
            found = await published(broker.address, "")
            guard.close()
    assert len({each.execution_id for each in found}) == len(found) == 3_000
    assert guard.dropped == 0


@pytest.mark.kafka
async def test_none_is_lost_and_none_is_twice_if_the_broker_is_killed(tmp_path: Path) -> None:
    """The answer to what was sent last is lost each time."""
    broker = Broker("apache", tmp_path / "kafka")
    with broker.runs() as process:
        await make_topics(broker.address, "", "tool-executions")
        guard = Rollguard(kafka_brokers=broker.address)
        tool = guard.tool(work)
        calls = asyncio.ensure_future(call_many(tool, 60_000, 20))
        await asyncio.sleep(4)
        kill(process)
    await asyncio.sleep(2)
    with broker.runs() as process:
        await asyncio.sleep(3)
        kill(process)
    with broker.runs():
        await calls
        await until(flushed(guard))
        found = await published(broker.address, "")
        guard.close()
    assert (len({each.execution_id for each in found}), len(found)) == (60_000, 60_000)
    assert guard.dropped == 0
