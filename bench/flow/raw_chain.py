"""The raw chain: the least time in which any pipeline on aiokafka gets from execution to outcome.

It has the same hops between as many processes, one insert and the same acknowledgements, and does
nothing else with the records.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Literal

import typer
import uvloop
from aiokafka import AIOKafkaProducer
from aiokafka.structs import ConsumerRecord

from bench.setup.environment import Environment
from db.postgres.pool import Connection, connect
from rollguard.embedded.processes import guarded
from rollguard_client.kafka.access import kafka_options
from schemas.settings import Settings, load_settings
from streams.topic_reader import open_reader
from streams.topics import Topics
from tests.support.inputs.messages import execution

_LATE_S: Final = 30.0
_KEY: Final = b"raw"
_VALUE: Final = execution("raw", "ValueError: broken").to_bytes()
_TABLE: Final = "create table raw_chain (value bytea)"
_STORE: Final = "insert into raw_chain values ($1)"


async def raw_chain(environment: Environment, count: int, every_s: float) -> list[float]:
    """Return the seconds from sending each record until its outcome is seen.

    Records are sent one at a time, on an idle environment that has no workers.
    """
    async with (
        _running(environment.settings, "judge"),
        _running(environment.settings, "apply"),
        open_reader(
            environment.settings, environment.topics.outcomes, from_beginning=True
        ) as reader,
    ):

        async def passed_s() -> float:
            begin_s = time.perf_counter()
            await environment.producer.send(environment.topics.executions, _VALUE, key=_KEY)
            async with asyncio.timeout(_LATE_S):
                while not await reader.poll():
                    pass
            return time.perf_counter() - begin_s

        await passed_s()  # after this, both hops run
        taken = []
        for _ in range(count):
            await asyncio.sleep(every_s)
            taken.append(await passed_s())
        return taken


@asynccontextmanager
async def _running(settings: Settings, hop: str) -> AsyncIterator[None]:
    environment = {
        "ROLLGUARD_KAFKA_BROKERS": ",".join(settings.kafka_brokers),
        "ROLLGUARD_POSTGRES_DSN": settings.postgres_dsn.get_secret_value(),
        "ROLLGUARD_TOPIC_PREFIX": settings.topic_prefix,
    }
    command = guarded([sys.executable, "-m", "bench.flow.raw_chain", hop])
    process = await asyncio.create_subprocess_exec(*command, env={**os.environ, **environment})
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


async def _relay(settings: Settings, hop: Literal["judge", "apply"]) -> None:
    topics = Topics.of(settings)
    source = topics.executions if hop == "judge" else topics.commands
    connection = await connect(settings.postgres_dsn.get_secret_value())
    if hop == "apply":
        await connection.execute(_TABLE)
    async with (
        AIOKafkaProducer(**kafka_options(settings), acks="all") as producer,
        open_reader(settings, source, from_beginning=True) as reader,
    ):
        while True:
            for record in await reader.poll():
                if hop == "judge":
                    await producer.send_and_wait(topics.commands, record.value, record.key)
                else:
                    await _apply(record, connection, producer, topics)


async def _apply(
    record: ConsumerRecord,
    connection: Connection,
    producer: AIOKafkaProducer,
    topics: Topics,
) -> None:
    async with connection.transaction():
        await connection.execute(_STORE, record.value)
    # the first topic takes the place of the activations' topic, which the judge reads
    for topic in (topics.deployments, topics.versions, topics.outcomes):
        await producer.send_and_wait(topic, record.value, record.key)


def main(hop: str) -> None:
    """Run one hop of the chain until it is terminated."""
    assert hop in ("judge", "apply"), hop
    uvloop.run(_relay(load_settings(), "judge" if hop == "judge" else "apply"))


if __name__ == "__main__":
    typer.run(main)
