"""The detector's CPU time for an execution is at most a few times the raw limit.

The raw limit is the CPU time of aiokafka's ``getmany`` and a plain pydantic model for the same
records, measured in the same run.
"""

import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Final

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from bench.flow.drain import drain
from bench.flow.load import Load, Tools, chosen
from bench.flow.raw_limit import read_plain_entry
from bench.setup.environment import Environment

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(720)]

MOST_TIMES: Final = 2.6
"""An execution may cost the detector at most this many times the raw limit. The true ratio is lower
(see docs/bench.md), but more than half of this."""
TOOLS: Final = 50
EXECUTIONS: Final = 50_000
ROUNDS: Final = 5


async def test_an_execution_costs_the_detector_few_times_the_raw_limit(
    apache_kafka: str, database_dsn: str
) -> None:
    ratios = []
    async with (
        Environment.made(apache_kafka, database_dsn) as environment,
        reader(environment) as consumer,
    ):
        detectors = await environment.start("detector")
        load = Load(
            environment.producer,
            environment.topics.executions,
            environment.settings.partitions,
            Tools.numbered(TOOLS),
        )
        await load.send(load.activations())
        await environment.groups.caught_up(["detector"])
        for _ in range(ROUNDS):
            begins = await consumer.end_offsets(consumer.assignment())
            took = await drain(
                environment, detectors, load, chosen(TOOLS, EXECUTIONS, 0.0, Random(1))
            )
            ratios.append(took.cpu_us / await raw_limit_us(consumer, begins))
    assert statistics.median(ratios) <= MOST_TIMES, ratios


@asynccontextmanager
async def reader(environment: Environment) -> AsyncIterator[AIOKafkaConsumer]:
    """Yield a consumer of all executions."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=list(environment.settings.kafka_brokers), enable_auto_commit=False
    )
    await consumer.start()
    try:
        partitions = range(environment.settings.partitions)
        consumer.assign(
            [TopicPartition(environment.topics.executions, number) for number in partitions]
        )
        yield consumer
    finally:
        await consumer.stop()


async def raw_limit_us(consumer: AIOKafkaConsumer, begins: dict[TopicPartition, int]) -> float:
    """Return the CPU time of this process for each execution, in microseconds."""
    for tp, begin in begins.items():
        consumer.seek(tp, begin)  # the consumer may have fetched some of the records already
    seen, begin_s = 0, time.process_time()
    while seen < EXECUTIONS:
        for records in (await consumer.getmany(timeout_ms=1000, max_records=2_000)).values():
            for record in records:
                read_plain_entry(record.value)
            seen += len(records)
    return 1e6 * (time.process_time() - begin_s) / seen
