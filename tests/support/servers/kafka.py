"""Brokers for tests: the embedded one, and a real Apache Kafka for tests marked ``kafka``.

``ROLLGUARD_KAFKA_BROKERS`` names the Apache Kafka to use; without it each worker of pytest-xdist
starts one from Maven artifacts (``tests.support.servers.with_kafka`` starts one for all). Each
worker has an embedded broker of its own.
"""

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from rollguard.embedded.broker import broker_command, wait_for_kafka
from rollguard.embedded.ports import free_port
from rollguard.embedded.processes import guarded

_GIVEN = os.environ.get("ROLLGUARD_KAFKA_BROKERS")
APACHE = Path(__file__).parents[3] / "compose" / "kafka" / "broker"
_TIMEOUT_S = 180.0


@contextmanager
def running_broker(
    command: Sequence[str], brokers: str, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run the command until the end of the block; the block begins when the broker answers.

    At the end the broker gets SIGTERM, and SIGKILL if it does not stop. ``environment`` is added to
    the environment of this process. Raises RuntimeError if the broker exits at once (because its
    port is taken), and TimeoutError.
    """
    process = subprocess.Popen(
        guarded(command, signal.SIGKILL),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, **(environment or {})},
    )
    try:
        with ThreadPoolExecutor(1) as thread:  # an event loop may be running in this thread
            thread.submit(asyncio.run, wait_for_kafka(brokers, _TIMEOUT_S)).result()
        if process.poll() is not None:
            raise RuntimeError(f"{command[0]} exited with {process.returncode}")
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def embedded_broker() -> Iterator[str]:
    """Run the broker of the embedded stack for the session, and yield its ``host:port``."""
    port = free_port()
    with running_broker(broker_command(port), f"127.0.0.1:{port}"):
        yield f"127.0.0.1:{port}"


@pytest.fixture(scope="session")
def apache_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the bootstrap servers of an Apache Kafka. Tests that use it are marked ``kafka``."""
    if _GIVEN:
        yield _GIVEN
        return
    port = free_port()
    folder = tmp_path_factory.mktemp("kafka")
    command = [str(APACHE), str(folder), str(port), str(free_port())]
    with running_broker(command, f"127.0.0.1:{port}"):
        yield f"127.0.0.1:{port}"


@pytest.fixture(
    scope="module", params=["embedded", pytest.param("apache", marks=pytest.mark.kafka)]
)
def kafka(request: pytest.FixtureRequest) -> str:
    """Return bootstrap servers. The test runs on the embedded broker and on Apache Kafka."""
    name = "apache_kafka" if request.param == "apache" else "embedded_broker"
    brokers: str = request.getfixturevalue(name)
    return brokers


def new_topic_prefix() -> str:
    """Return a prefix that nobody else has, so that tests can share a broker."""
    return f"test-{uuid4().hex[:12]}-"


@pytest.fixture
def topic_prefix() -> str:
    """Return a prefix that no other test has."""
    return new_topic_prefix()
