"""``make million``: a million calls, and a broker that is killed twice: none lost, none twice.

A thread calls a decorated function. The broker is killed (SIGKILL) after a third and after two
thirds of the calls, while it takes what has waited, and started again some seconds later. At the
end everything in the topic is counted by its id.
"""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from uuid import UUID

import msgspec
import typer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from rollguard.embedded.ports import free_port
from rollguard_client import Rollguard
from rollguard_client.kafka.reader import open_reader
from tests.support.servers.kafka import APACHE, running_broker

_TOPIC: Final = "tool-executions"
_AWAY_S: Final = 3.0


class _Id(msgspec.Struct):
    execution_id: UUID


class Broker:
    """Apache Kafka at one address, which keeps its records when it is killed."""

    def __init__(self, folder: Path) -> None:
        self._ports = free_port(), free_port()
        self._folder = folder
        self.address = f"127.0.0.1:{self._ports[0]}"

    @contextmanager
    def runs(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run it until the end of the block."""
        command = [str(APACHE), str(self._folder), *map(str, self._ports)]
        with running_broker(command, self.address) as process:
            yield process


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the broker with everything that it has started."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(30)


def _tool(number: int) -> int:
    return number


class Calls:
    """A thread that calls a decorated function."""

    def __init__(self, guard: Rollguard, count: int) -> None:
        self.done = 0
        self.cpu_s = 0.0
        self._count = count
        self._tool = guard.tool("million")(_tool)

    def run(self) -> None:
        """Call it so often."""
        begin, tool = time.thread_time(), self._tool
        for number in range(self._count):
            tool(number)
            self.done = number
        self.cpu_s = time.thread_time() - begin

    async def until(self, number: int) -> None:
        """Return when so many calls are done."""
        while self.done < number:
            await asyncio.sleep(0.01)


async def measure(count: int, folder: Path) -> None:
    """Do it, and print what was counted. Raises AssertionError if one is lost or comes twice."""
    broker, began = Broker(folder), time.monotonic()
    with broker.runs() as process:
        await _make_topic(broker.address)
        guard = Rollguard(
            kafka_brokers=broker.address, buffer_records=count + 1, buffer_bytes=2**31, flush_s=600
        )
        calls = Calls(guard, count)
        calling = asyncio.ensure_future(asyncio.to_thread(calls.run))
        await calls.until(count // 3)
        kill(process)
    waiting = [guard.buffered]
    await asyncio.sleep(_AWAY_S)
    with broker.runs() as process:
        await calls.until(2 * count // 3)
        while guard.buffered > count // 2:  # until it is at work
            await asyncio.sleep(0.01)
        kill(process)
    waiting.append(guard.buffered)
    await asyncio.sleep(_AWAY_S)
    with broker.runs():
        await calling
        assert await asyncio.to_thread(guard.flush, 600), "it does not end"
        found, twice = await _ids(guard)
        guard.close()
    print(
        f"{count} calls, {calls.cpu_s / count * 1e6:.1f} µs of CPU each; the broker was killed as "
        f"{waiting[0]} and {waiting[1]} waited; {len(found)} are in the topic, {twice} of them "
        f"twice, {guard.dropped} dropped; {time.monotonic() - began:.0f} s"
    )
    assert (len(found), twice, guard.dropped) == (count, 0, 0)


async def _make_topic(address: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(_TOPIC, 4, 1)])
    finally:
        await admin.close()


async def _ids(guard: Rollguard) -> tuple[set[int], int]:
    """Return the ids of all executions in the topic, and how many of them are there again."""
    found, count = set[int](), 0
    decode = msgspec.json.Decoder(_Id).decode
    async with open_reader(guard.settings, _TOPIC, from_beginning=True) as reader:
        while not await reader.caught_up():
            for record in await reader.poll():
                count += 1
                found.add(decode(record.value).execution_id.int)
    return found, count - len(found)


def main(count: int = 1_000_000) -> None:
    """Do it with so many calls."""
    with TemporaryDirectory(prefix="rollguard-million-") as folder:
        asyncio.run(measure(count, Path(folder)))


if __name__ == "__main__":
    typer.run(main)
