"""The spine's two numbers on a real Kafka and Postgres: ``make numbers``.

*Latency*: from the deciding execution's send to the outcome read back, one rollback at a time.

*Cost*: the detector's CPU time for an execution, over 50 tools, beside the raw limit on the same
records in the same run: aiokafka's ``getmany`` and the same pydantic model, and nothing else. What
a detector costs that finds an empty log (imports, joining the group) is measured too and taken off.

Roles run as processes of their own, as in production; every part has topics of its own.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import psutil
import typer
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from rollguard.embedded import EmbeddedStack, free_port
from schemas.execution import Execution, read_log_entry
from schemas.settings import Settings
from streams.topics import Topics, group_of
from tests.kafka import APACHE, running_broker
from tests.system import System, activation, deployment, execution

TOOLS = 50
ROUNDS = 3


@asynccontextmanager
async def _system(brokers: str, dsn: str, *roles: str) -> AsyncIterator[System]:
    with tempfile.TemporaryDirectory() as folder:
        prefix = f"bench-{uuid4().hex[:8]}-"
        async with System.started(brokers, dsn, prefix, Path(folder), roles, 500) as system:
            yield system


async def latency(system: System, rollbacks: int) -> list[float]:
    """Seconds from the send of the deciding execution to the outcome, for each rollback."""
    tools = [f"latency-{number}" for number in range(rollbacks)]
    for tool in tools:
        wishes = deployment(tool, "a"), deployment(tool, "b")
        await system.send(system.topics.deployments, tool, *wishes)
    await system.records(system.topics.deployment_outcomes, 2 * rollbacks)
    taken = []
    async with system.reader(system.topics.outcomes) as outcomes:
        for tool in tools:
            await system.run(execution(tool, "x"), execution(tool, "x"))
            # Idle: the two before are folded and nothing is in flight.
            await asyncio.sleep(0.02)
            started = time.perf_counter()
            await system.run(execution(tool, "x"))
            await asyncio.wait_for(outcomes.getone(), 30)
            taken.append(time.perf_counter() - started)
    return taken


async def fill(settings: Settings, executions: int) -> None:
    """Activations of 50 tools, then executions round robin; one of 50 of each tool fails."""
    topic = Topics.of(settings).executions
    producer = AIOKafkaProducer(bootstrap_servers=list(settings.kafka_brokers), linger_ms=20)
    await producer.start()
    try:
        tools = [f"cost-{number}" for number in range(TOOLS)]
        for tool in tools:
            value = activation(tool, 1, 1).to_bytes()
            await producer.send_and_wait(topic, value, key=tool.encode())
        for number in range(executions):
            tool = tools[number % TOOLS]
            run = Execution(
                execution_id=uuid4(),
                tool_name=tool,
                version_id=1,
                success=number // TOOLS % 50 != 0,
                executed_at=datetime.now(UTC),
                duration_ms=1.5,
                session_id="bench",
            )
            await producer.send(topic, run.to_bytes(), key=tool.encode())
        await producer.flush()
    finally:
        await producer.stop()


async def raw_limit(settings: Settings, executions: int) -> float:
    """CPU seconds of reading and validating all records, and nothing else."""
    topic = Topics.of(settings).executions
    consumer = AIOKafkaConsumer(
        bootstrap_servers=list(settings.kafka_brokers), enable_auto_commit=False
    )
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, number) for number in range(settings.partitions)])
        await consumer.seek_to_beginning()
        seen, started = 0, time.process_time()
        while seen < executions + TOOLS:
            fetched = await consumer.getmany(timeout_ms=1000, max_records=settings.max_poll_records)
            for records in fetched.values():
                for record in records:
                    read_log_entry(record.value)
                    seen += 1
        return time.process_time() - started
    finally:
        await consumer.stop()


async def detector_cost(system: System, executions: int) -> float:
    """CPU seconds of a fresh detector until it has committed the whole log."""
    worker = await system.spawn("detector")
    await system.detector_ready()
    await _committed(system.settings, executions)
    used = psutil.Process(worker.pid).cpu_times()
    await system.stop_all()
    return float(used.user + used.system)


async def _committed(settings: Settings, count: int) -> None:
    """Return when the detector's group has committed so many offsets in all."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=list(settings.kafka_brokers),
        group_id=group_of(settings, "detector"),
        enable_auto_commit=False,
    )
    topic = Topics.of(settings).executions
    places = [TopicPartition(topic, number) for number in range(settings.partitions)]
    await consumer.start()
    try:
        async with asyncio.timeout(300):
            while True:
                try:
                    offsets = [await consumer.committed(place) for place in places]
                except KafkaError:
                    offsets = []
                if sum(offset or 0 for offset in offsets) >= count:
                    return
                await asyncio.sleep(0.2)
    finally:
        await consumer.stop()


async def measure(brokers: str, rollbacks: int, executions: int) -> None:
    """Print both numbers."""
    async with EmbeddedStack() as stack:
        async with _system(brokers, stack.postgres_dsn, "detector", "applier") as system:
            taken = sorted(await latency(system, rollbacks))
        cuts = statistics.quantiles(taken, n=100)
        print(f"latency of {rollbacks} rollbacks: p50 {1000 * cuts[49]:.1f} ms, ", end="")
        print(f"p99 {1000 * cuts[98]:.1f} ms, max {1000 * taken[-1]:.1f} ms", flush=True)
        ratios = []
        for _ in range(ROUNDS):
            async with _system(brokers, stack.postgres_dsn) as system:
                empty = await detector_cost(system, 0)
            async with _system(brokers, stack.postgres_dsn) as system:
                await fill(system.settings, executions)
                raw = await raw_limit(system.settings, executions)
                cost = await detector_cost(system, executions + TOOLS) - empty
            ratios.append(cost / raw)
            each = 1e6 / executions
            print(f"cost of {executions} executions: {cost * each:.2f} µs each, ", end="")
            print(f"raw limit {raw * each:.2f} µs, ratio {cost / raw:.2f}", flush=True)
        print(f"median ratio {statistics.median(ratios):.2f}")


def main(rollbacks: int = 300, executions: int = 200_000) -> None:
    """Measure on the Apache Kafka at ROLLGUARD_KAFKA_BROKERS, else on one from Maven."""
    with ExitStack() as stack:
        brokers = os.environ.get("ROLLGUARD_KAFKA_BROKERS") or stack.enter_context(apache_kafka())
        asyncio.run(measure(brokers, rollbacks, executions))


@contextmanager
def apache_kafka() -> Iterator[str]:
    """An Apache Kafka from Maven, for a while."""
    with tempfile.TemporaryDirectory() as folder:
        brokers = f"127.0.0.1:{free_port()}"
        command = [str(APACHE), folder, brokers.rpartition(":")[2], str(free_port())]
        with running_broker(command, brokers):
            yield brokers


if __name__ == "__main__":
    typer.run(main)
