"""Sends a hundred thousand executions per second, in record batches that are made beforehand.

``python -m bench.flow.load`` sends them at an even rate from a process of its own, so that it does
not delay what is being timed. An execution has about 220 bytes. Unless a benchmark says otherwise,
one of 500 fails, for which no tool is rolled back.
"""

import asyncio
import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import accumulate, count
from pathlib import Path
from random import Random
from typing import Any, Final, Self
from uuid import uuid4

import typer
from aiokafka import AIOKafkaProducer

from bench.setup.environment import Environment
from rollguard.embedded.processes import guarded
from schemas.settings import Settings
from streams.partitions import partition_of
from streams.topics import Topics
from tests.support.inputs.messages import activation

Batches = dict[int, list[Any]]
"""By partition, the batches of aiokafka in their order."""

FAILS: Final = 500
"""One of so many executions fails."""
_TICK_S: Final = 0.02
_EXECUTION: Final = (
    b'{"kind":"execution","execution_id":"<id>%012x","tool_name":"%b","version_id":%d,'
    b'"success":%b,"executed_at":"<second>.%06dZ","duration_ms":1.5,"session_id":"bench"}'
)
_GOOD, _BAD = b"true", b'false,"error":"ValueError: by chance"'


@dataclass(frozen=True)
class Tools:
    """The names of the tools, and the ids of their current versions, by the number of the tool."""

    names: list[str]
    versions: list[int]

    @classmethod
    def numbered(cls, tools: int) -> Self:
        """Return so many tools, named by their numbers, with version ids from 1 on."""
        return cls([f"tool-{number}" for number in range(tools)], list(range(1, tools + 1)))

    def write(self, path: Path) -> None:
        """Write the tools to a file, for the process that sends."""
        path.write_text(json.dumps(asdict(self)))


def chosen(tools: int, executions: int, zipf: float, random: Random) -> list[int]:
    """Draw the number of the tool of each execution.

    The n-th tool has 1/n**zipf of the executions of the first; if ``zipf`` is 0, all have as many.
    """
    if zipf == 0.0:
        return [random.randrange(tools) for _ in range(executions)]
    shares = list(accumulate(1 / number**zipf for number in range(1, tools + 1)))
    return random.choices(range(tools), cum_weights=shares, k=executions)


class Load:
    """Makes and sends batches of one topic.

    Records lie ``distance`` partitions further than that of their key.
    """

    def __init__(
        self,
        producer: AIOKafkaProducer,
        topic: str,
        partitions: int,
        tools: Tools,
        one_of: int = FAILS,
        distance: int = 0,
    ) -> None:
        self._producer = producer
        self._topic = topic
        self._tools = tools
        self._one_of = one_of
        self._names = [name.encode() for name in tools.names]
        self._partitions = [
            (partition_of(name, partitions) + distance) % partitions for name in self._names
        ]
        self._id = str(uuid4())[:24].encode()
        self._numbers = count()

    @classmethod
    def into(
        cls, environment: Environment, tools: Tools, one_of: int = FAILS, distance: int = 0
    ) -> Self:
        """Return a load for the executions topic of this environment."""
        topic, partitions = environment.topics.executions, environment.settings.partitions
        return cls(environment.producer, topic, partitions, tools, one_of, distance)

    def activations(self, number: int = 1) -> Batches:
        """Return one activation of each tool, as the ``number``-th of its tool."""
        template = activation("%b", 1, number, version_number=1).to_bytes()
        template = template.replace(b'"version_id":1,', b'"version_id":%d,')
        return self._batches(
            (number, template % (name, version))
            for number, (name, version) in enumerate(
                zip(self._names, self._tools.versions, strict=True)
            )
        )

    def executions(self, of: Iterable[int]) -> Batches:
        """Return an execution of each of these tools, in this order, with the present time."""
        return self._batches(self._executions(of))

    def _executions(self, of: Iterable[int]) -> Iterator[tuple[int, bytes]]:
        now = datetime.now(UTC)
        second = now.strftime("%Y-%m-%dT%H:%M:%S").encode()
        template = _EXECUTION.replace(b"<id>", self._id).replace(b"<second>", second)
        names, versions = self._names, self._tools.versions
        for index, (number, serial) in enumerate(zip(of, self._numbers, strict=False)):
            micros = min(now.microsecond + index, 999_999)
            success = _BAD if serial % self._one_of == 0 else _GOOD
            yield number, template % (serial, names[number], versions[number], success, micros)

    def _batches(self, values: Iterable[tuple[int, bytes]]) -> Batches:
        made: Batches = defaultdict(list)
        open_: dict[int, Any] = {}
        names, partitions = self._names, self._partitions
        for number, value in values:
            partition, key = partitions[number], names[number]
            batch = open_.get(partition)
            if batch is None or batch.append(key=key, value=value, timestamp=None) is None:
                batch = open_[partition] = self._producer.create_batch()
                batch.append(key=key, value=value, timestamp=None)
                made[partition].append(batch)
        return made

    async def send(self, batches: Batches) -> None:
        """Send the batches and return when all are acknowledged."""
        await asyncio.gather(*(self._send(*each) for each in batches.items()))

    async def _send(self, partition: int, batches: list[Any]) -> None:
        for batch in batches:
            batch.close()
            sent = await self._producer.send_batch(batch, self._topic, partition=partition)
        await sent

    async def pace(self, rate: float, seconds: float, zipf: float = 0.0) -> int:
        """Send at this rate per second, evenly, for so long; return how many were sent.

        If the rate cannot be kept, fewer are sent.
        """
        random, sent, begin = Random(7), 0, time.perf_counter()
        while (passed := time.perf_counter() - begin) < seconds:
            due = min(int(passed * rate) - sent, int(rate))
            if due > 0:
                of = chosen(len(self._names), due, zipf, random)
                await self.send(self.executions(of))
                sent += due
            await asyncio.sleep(_TICK_S - (time.perf_counter() - begin) % _TICK_S)
        return sent


async def _pace(
    topic: str, partitions: int, brokers: str, tools: Tools, rate: float, s: float
) -> int:
    producer = AIOKafkaProducer(
        bootstrap_servers=brokers, max_batch_size=500_000, max_request_size=4_000_000
    )
    await producer.start()
    try:
        return await Load(producer, topic, partitions, tools).pace(rate, s)
    finally:
        await producer.stop()


def main(
    topic: str, partitions: int, brokers: str, tools: Path, rate: float, seconds: float
) -> None:
    """Send executions of the tools in a file; print how many were sent."""
    known = Tools(**json.loads(tools.read_text()))
    print(asyncio.run(_pace(topic, partitions, brokers, known, rate, seconds)))


async def spawn(
    settings: Settings, tools: Path, rate: float, seconds: float
) -> asyncio.subprocess.Process:
    """Start a process that does the same; its stdout is a pipe."""
    topic, brokers = Topics.of(settings).executions, ",".join(settings.kafka_brokers)
    given = (topic, settings.partitions, brokers, tools, rate, seconds)
    command = guarded([sys.executable, "-m", "bench.flow.load", *map(str, given)])
    return await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)


if __name__ == "__main__":
    typer.run(main)
