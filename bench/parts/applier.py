"""The throughput of one applier on a real Kafka and Postgres, and its CPU time.

*Deployments*: versions of a small tool, each with a change of its own, for many tools in turn.

*Rollbacks*: of many tools in turn, an automatic one and then a manual one back to where it was.

All messages are sent at once to an idle worker. The time goes from the first send until the last
outcome is read back. The CPU time is that of the worker alone; the CPU time of its child process,
which compares code, is shown separately.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import psutil
import typer

from bench.setup.servers import apache_kafka
from rollguard.embedded.stack import EmbeddedStack
from schemas.deployment import Deployment
from schemas.message import Message
from schemas.rollback import RollbackCommand
from tests.support.inputs.messages import deployment
from tests.support.systems.system import System

WAIT_S = 300.0

_CODE = '''\
"""Counts what a text holds."""

STEP = {step}


def execute(text: str, limit: int = 10) -> list[str]:
    """The first words of a text."""
    words = [word.strip() for word in text.split()]
    return words[: limit + STEP]


class Counter:
    def __init__(self, start: int = 0) -> None:
        self.count = start

    def add(self, amount: int = 1) -> int:
        self.count += amount
        return self.count
'''


class Throughput(NamedTuple):
    """How one applier worked off a backlog."""

    records: int
    seconds: float
    """From the first send until the last outcome was read back."""
    worker_cpu_s: float
    child_cpu_s: float
    """The CPU time of the child process that compares code."""

    @property
    def per_second(self) -> float:
        """Messages per second."""
        return self.records / self.seconds

    @property
    def worker_ms(self) -> float:
        """The CPU time of the worker for one message, in milliseconds."""
        return 1000 * self.worker_cpu_s / self.records


class Results(NamedTuple):
    """The throughput of each kind of message."""

    deployments: Throughput
    rollbacks: Throughput


async def throughput(
    system: System, requests: Sequence[Deployment | RollbackCommand], topic: str, outcomes: str
) -> Throughput:
    """Send these messages to ``topic`` and wait for the outcome of each."""
    [worker] = system.running
    before, started = _cpu_s(worker.pid), time.perf_counter()
    async with system.reader(outcomes) as reader:
        await reader.seek_to_end()
        sending = asyncio.create_task(_send(system, topic, requests))
        seen = 0
        async with asyncio.timeout(WAIT_S):
            while seen < len(requests):
                fetched = await reader.getmany(timeout_ms=500)
                seen += sum(map(len, fetched.values()))
        seconds = time.perf_counter() - started
        await sending
    used = [end - begin for begin, end in zip(before, _cpu_s(worker.pid), strict=True)]
    return Throughput(len(requests), seconds, *used)


async def _send(system: System, topic: str, requests: Sequence[Message]) -> None:
    await asyncio.gather(
        *[
            await system.producer.send(topic, request.to_bytes(), key=request.tool_name.encode())  # type: ignore[attr-defined]
            for request in requests
        ]
    )


def _cpu_s(pid: int) -> tuple[float, float]:
    """Return the CPU seconds of the worker and of its child."""
    worker = psutil.Process(pid)
    times = [each.cpu_times() for each in (worker, *worker.children())]
    own, *children = [used.user + used.system for used in times]
    return own, sum(children)


async def commands(system: System, tools: Sequence[str], rounds: int) -> list[RollbackCommand]:
    """Return commands that roll each tool back and then make its version current again.

    They do so ``rounds`` times, for all tools in turn. Every one of them is applied.
    """
    rows = await system.query(
        "select tool_name, version_id, activation from tool_versions where is_current"
    )
    current = {row["tool_name"]: (row["version_id"], row["activation"]) for row in rows}
    requests = []
    for number in range(rounds):
        for tool in tools:
            version_id, activation = current[tool]
            requests.append(_automatic(tool, version_id, activation + 2 * number))
        requests += [_manual(tool, current[tool][0]) for tool in tools]
    return requests


def _automatic(tool: str, version_id: int, activation: int) -> RollbackCommand:
    recent = [str(uuid4()) for _ in range(3)]
    return RollbackCommand(
        command_id=uuid4(),
        tool_name=tool,
        from_version_id=version_id,
        from_activation=activation,
        tier="immediate",
        reason="consecutive_failures",
        details={"recent": recent, "executions": 3, "failures": 3, "success_rate": 0.0},
        issued_by="detector",
        issued_at=datetime.now(UTC),
    )


def _manual(tool: str, version_id: int) -> RollbackCommand:
    return RollbackCommand(
        command_id=uuid4(),
        tool_name=tool,
        to_version_id=version_id,
        tier="manual",
        reason="manual",
        issued_by="bench",
        issued_at=datetime.now(UTC),
    )


async def measure(brokers: str, tools: int, deployments: int, rollbacks: int) -> Results:
    """Measure one applier, on new topics and with a new Postgres.

    Each tool gets ``deployments // tools`` deployments, but at least one. A round of rollbacks has
    two commands for each tool.
    """
    with tempfile.TemporaryDirectory() as folder:
        prefix = f"bench-{uuid4().hex[:8]}-"
        async with (
            EmbeddedStack() as stack,
            System.started(
                brokers, stack.postgres_dsn, prefix, Path(folder), ("applier",), 500
            ) as system,
        ):
            names = [f"applied-{number}" for number in range(tools)]
            topics = system.topics
            first = [deployment(tool, _CODE.format(step=0)) for tool in names]
            await throughput(system, first, topics.deployments, topics.deployment_outcomes)
            requests = [
                deployment(tool, _CODE.format(step=step), created_by="autonomous")
                for step in range(1, 1 + max(1, deployments // tools))
                for tool in names
            ]
            deployed = await throughput(
                system, requests, topics.deployments, topics.deployment_outcomes
            )
            rollback_requests = await commands(system, names, max(1, rollbacks // tools // 2))
            rolled_back = await throughput(
                system, rollback_requests, topics.commands, topics.outcomes
            )
            applied = await system.query("select count(*) from rollbacks where status = 'applied'")
            if applied[0][0] != len(rollback_requests):
                raise RuntimeError(
                    f"{applied[0][0]} of {len(rollback_requests)} rollbacks were applied"
                )
            return Results(deployed, rolled_back)


def main(tools: int = 500, deployments: int = 2_000, rollbacks: int = 4_000) -> None:
    """Measure on the Apache Kafka at ROLLGUARD_KAFKA_BROKERS, else on one from Maven."""
    with ExitStack() as stack:
        brokers = os.environ.get("ROLLGUARD_KAFKA_BROKERS") or stack.enter_context(apache_kafka())
        results = asyncio.run(measure(brokers, tools, deployments, rollbacks))
    for what, each in results._asdict().items():
        print(
            f"{each.records} {what} of {tools} tools: {each.per_second:.0f} a second, "
            f"{each.worker_ms:.2f} ms of the worker's CPU time each",
            end="",
        )
        if each.child_cpu_s > 0.01 * each.seconds:
            print(f", {1000 * each.child_cpu_s / each.records:.2f} ms of its child's", end="")
        print(flush=True)


if __name__ == "__main__":
    typer.run(main)
