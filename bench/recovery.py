"""From kill -9 of a detector to its tools being judged again, on a real Kafka: ``make numbers``.

The detector has a name, and is started again 0.3 s after its death, as a supervisor would do.
"""

import asyncio
import shutil
import signal
import tempfile
import time
from pathlib import Path
from uuid import uuid4

import aiohttp
import typer
from aiokafka import AIOKafkaProducer

from tests.chaos.lag import until_none
from tests.chaos.stack import ROLES, Stack, Worker
from tests.system import activation, execution

TOOL = "tool-0"
ROUNDS = 5


async def fill(brokers: str, tools: int) -> None:
    """An activation and an execution of each tool."""
    producer = AIOKafkaProducer(bootstrap_servers=brokers, linger_ms=20, max_batch_size=200_000)
    await producer.start()
    try:
        sent = []
        for number in range(tools):
            name = f"tool-{number}"
            for entry in (activation(name, number + 1, 1), execution(name, version_id=number + 1)):
                value = entry.to_bytes()
                sent.append(await producer.send("tool-executions", value, key=name.encode()))
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


async def judged_again(
    stack: Stack, detector: Worker, number: signal.Signals, session: aiohttp.ClientSession
) -> float:
    """Seconds from the signal until an execution that is sent at once is in the windows."""
    producer = AIOKafkaProducer(bootstrap_servers=stack.broker.address)
    await producer.start()
    begin = time.perf_counter()
    detector.send_signal(number)
    newest = execution(TOOL, version_id=1, execution_id=uuid4())
    await producer.send_and_wait("tool-executions", newest.to_bytes(), key=TOOL.encode())
    await producer.stop()
    while not await _has_seen(session, detector, str(newest.execution_id)):
        await asyncio.sleep(0.02)
    return time.perf_counter() - begin


async def _has_seen(session: aiohttp.ClientSession, detector: Worker, execution_id: str) -> bool:
    try:
        async with session.get(f"{detector.url}/tools/{TOOL}/health") as answer:
            recent = (await answer.json()).get("recent") or [{}]
            return bool(recent[0].get("execution_id") == execution_id)
    except aiohttp.ClientError:
        return False


async def measure(tools: int) -> None:
    """Print how long it takes with so many tools."""
    folder = Path(tempfile.mkdtemp(prefix="rollguard-recovery-"))
    async with Stack(folder) as stack, aiohttp.ClientSession() as session:
        for role in ROLES:
            stack.add(role)
        await asyncio.sleep(5)
        await fill(stack.broker.address, tools)
        await until_none(stack.settings, 300)
        for number in (signal.SIGKILL, signal.SIGTERM):
            took = []
            for _ in range(ROUNDS):
                took.append(await judged_again(stack, stack.one("detector"), number, session))
                await asyncio.sleep(3)
            shown = ", ".join(f"{each:.1f}" for each in sorted(took))
            print(f"{tools} tools, {number.name}: judged again after {shown} s", flush=True)
    shutil.rmtree(folder)


def main(tools: list[int] = typer.Option([10_000, 100_000])) -> None:  # noqa: B008
    """Kill a detector, and stop one, again and again."""
    for count in tools:
        asyncio.run(measure(count))


if __name__ == "__main__":
    typer.run(main)
