"""The Kafka and the Postgres of the benchmarks, and a description of the machine."""

import asyncio
import logging
import os
import platform
import re
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import asyncpg
import psutil
import structlog
import uvloop

from rollguard.embedded.ports import free_port
from rollguard.embedded.stack import EmbeddedStack
from tests.support.servers.kafka import APACHE, running_broker

T = TypeVar("T")


@contextmanager
def apache_kafka() -> Iterator[str]:
    """Yield the brokers of the Apache Kafka at ROLLGUARD_KAFKA_BROKERS, else of one from Maven."""
    given = os.environ.get("ROLLGUARD_KAFKA_BROKERS")
    if given:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="rollguard-bench-") as folder:
        brokers = f"127.0.0.1:{free_port()}"
        command = [str(APACHE), folder, brokers.rpartition(":")[2], str(free_port())]
        with running_broker(command, brokers, {"BROKER_JAVA": "-XX:+UseG1GC"}):
            yield brokers


def with_servers(use: Callable[[str, str], Awaitable[T]]) -> T:
    """Call ``use`` with the brokers and the DSN of an embedded Postgres; return its result.

    It runs on uvloop, as the workers do.
    """
    # The registry logs each version that it loads, which takes time and interests nobody here.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))

    async def run(brokers: str) -> T:
        async with EmbeddedStack() as stack:
            return await use(brokers, stack.postgres_dsn)

    with apache_kafka() as brokers, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run(brokers))


async def machine(brokers: str, dsn: str) -> str:
    """Return the cores, the memory and the versions in one line."""
    connection = await asyncpg.connect(dsn)
    postgres = (await connection.fetchval("show server_version")).split()[0]
    await connection.close()
    cores, memory = psutil.cpu_count(), round(psutil.virtual_memory().total / 2**30)
    return (
        f"{cores} cores, {memory} GiB, Python {platform.python_version()}, {_kafka(brokers)}, "
        f"PostgreSQL {postgres}"
    )


def _kafka(brokers: str) -> str:
    if os.environ.get("ROLLGUARD_KAFKA_BROKERS"):
        return f"Kafka at {brokers}"
    pom = (Path(APACHE).parent / "pom.xml").read_text()
    found = re.search(r"<kafka.version>(.+?)<", pom)
    return f"Apache Kafka {found[1] if found else ''}".strip()
