"""The workload of a run: engines that follow `tool-versions`, execute, deploy and make mistakes.

Some executions and deployments are sent in transactions, of which some are aborted: those records
never happened. The records of aborted transactions are failures, so that it matters.

The acts, their order, their tools and their results are drawn from the seed alone. The version that
an execution names depends on when the engine reads of the version, as in production. The code of a
version contains its failure rate and its error: ``# fails 0.9 TypeError``.
"""

import asyncio
import re
import time
from collections import defaultdict, deque
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final
from uuid import UUID

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas.deployment import Deployment, ToolVersion
from schemas.execution import Execution
from schemas.rollback import RollbackCommand, automatic_command_id
from schemas.settings import Settings
from tests.chaos.audit.topic_reader import follow
from tests.chaos.poison import POISONS
from tests.chaos.transactions import Transaction, TransactionalRecord, Transactions

HEADER: Final = "poison"
"""The header that marks a record which must become a dead letter; its value is the cause."""

OUTAGE_EVERY: Final = 3_000
OUTAGE_FROM: Final = 2_500
"""Under policy `guarded` there are outages: of 3,000 acts, all executions from this one on fail."""
SESSIONS: Final = (None, None, *(f"session-{number}" for number in range(20)))

KINDS: Final = {
    "execute": 920,
    "repeat": 20,
    "deploy": 30,
    "deploy_again": 4,
    "roll_back": 6,
    "use_ids_first": 6,
    "poison": 20,
    "transaction": 12,
}


class Workload:
    """Sends records while faults happen.

    ``acknowledged`` has, by topic, the ids of the records that the broker has acknowledged.
    """

    def __init__(
        self,
        settings: Settings,
        seed: int,
        tools: int,
        rate: float,
        kinds: Mapping[str, int] = KINDS,
    ) -> None:
        self._settings = settings
        self._kinds = kinds
        self._random = Random(seed)
        self._tools = [f"tool-{number:03}" for number in range(tools)]
        self._rate = rate
        self.acknowledged: defaultdict[str, set[UUID]] = defaultdict(set)
        self.sent = 0
        self.failed = 0
        self.versions: dict[str, ToolVersion] = {}
        self._history: dict[str, list[int]] = defaultdict(list)
        self._past: dict[str, deque[bytes]] = defaultdict(lambda: deque(maxlen=40))
        self._deployed: dict[str, Deployment] = {}
        self._has_outages = settings.rules.policy == "guarded"
        self._in_outage = False
        self._stopping = asyncio.Event()
        self.transactions = Transactions(settings, f"chaos-{seed}", self.acknowledged)

    def stop(self) -> None:
        """Send nothing more; ``run`` returns when all records are acknowledged."""
        self._stopping.set()

    async def run(self) -> None:
        """Deploy every tool, then send at the given rate until ``stop``."""
        producer = AIOKafkaProducer(
            bootstrap_servers=list(self._settings.kafka_brokers),
            enable_idempotence=True,
            request_timeout_ms=90_000,
            linger_ms=2,
        )
        follower = asyncio.create_task(self._follow())
        transactions = asyncio.create_task(self.transactions.run(self._stopping))
        await producer.start()
        try:
            for tool in self._tools:
                await self._deploy(producer, tool, "fails 0.02 ValueError")
            begin, done = time.monotonic(), 0
            while not self._stopping.is_set():
                while done < (time.monotonic() - begin) * self._rate:
                    self._in_outage = self._has_outages and done % OUTAGE_EVERY >= OUTAGE_FROM
                    await self._act(producer)
                    done += 1
                await asyncio.sleep(0.01)
        finally:
            self._stopping.set()
            await transactions
            follower.cancel()
            await asyncio.gather(follower, return_exceptions=True)
            await producer.stop()

    async def _follow(self) -> None:
        async for record in follow(self._settings, "tool-versions"):
            version = ToolVersion.from_bytes(record.value)
            known = self.versions.get(version.tool_name)
            if known is None or known.activation < version.activation:
                self.versions[version.tool_name] = version
                self._history[version.tool_name].append(version.version_id)

    async def _act(self, producer: AIOKafkaProducer) -> None:
        random = self._random
        tool = random.choice(self._tools)
        kind = random.choices(list(self._kinds), list(self._kinds.values()))[0]
        # Draw for every kind, so that later draws do not depend on the versions that are known.
        luck, draw = random.random(), Random(random.getrandbits(64))
        if kind == "execute":
            await self._execute(producer, tool, luck, draw)
        elif kind == "repeat" and self._past[tool]:
            await self._send(producer, "tool-executions", tool, draw.choice(self._past[tool]))
        elif kind == "deploy":
            await self._deploy(producer, tool, _behaviour(draw), draw)
        elif kind == "deploy_again" and tool in self._deployed:
            again = self._deployed[tool]
            await self._send(producer, "tool-deployments", tool, again.to_bytes())
        elif kind == "roll_back":
            await self._roll_back(producer, tool, draw)
        elif kind == "use_ids_first":
            await self._use_ids_first(producer, tool, draw)
        elif kind == "poison":
            await self._poison(producer, tool, draw)
        elif kind == "transaction":
            self._transact(tool, draw)

    async def _execute(
        self, producer: AIOKafkaProducer, tool: str, luck: float, draw: Random
    ) -> None:
        version = self.versions.get(tool)
        if version is None:
            return
        rate, error = _failures_of(version.code)
        failed = luck < rate or self._in_outage
        at = datetime.now(UTC) - timedelta(milliseconds=draw.randrange(50))
        if draw.random() < 0.03:
            at -= timedelta(seconds=draw.choice((20, 400, 4_000, 90_000)))
        version_id: int | None = version.version_id
        if draw.random() < 0.1:
            version_id = None
        elif draw.random() < 0.03:
            version_id = draw.choice(self._history[tool])
        execution = Execution(
            execution_id=UUID(int=draw.getrandbits(128)),
            tool_name=tool,
            version_id=version_id,
            success=not failed,
            error=f"{error}: it failed" if failed else None,
            executed_at=at,
            session_id=draw.choice(SESSIONS),
        )
        value = execution.to_bytes()
        self._past[tool].append(value)
        await self._send(producer, "tool-executions", tool, value, execution.execution_id)

    def _transact(self, tool: str, draw: Random) -> None:
        """Send some executions of a tool, and now and then a deployment, in one transaction."""
        is_committed = draw.random() < 0.5
        records = []
        for _ in range(draw.randrange(1, 5)):
            failed = not is_committed or draw.random() < 0.05
            execution = Execution(
                execution_id=UUID(int=draw.getrandbits(128)),
                tool_name=tool,
                success=not failed,
                error="TypeError: it failed" if failed else None,
                executed_at=datetime.now(UTC),
                session_id=draw.choice(SESSIONS),
            )
            value = execution.to_bytes()
            records.append(
                TransactionalRecord("tool-executions", tool, value, execution.execution_id)
            )
        if draw.random() < 0.3:
            behaviour = _behaviour(draw) if is_committed else "fails 1.0 TypeError"
            deployment = self._new_deployment(tool, behaviour, draw)
            records.append(
                TransactionalRecord(
                    "tool-deployments", tool, deployment.to_bytes(), deployment.deployment_id
                )
            )
        self.sent += len(records)
        self.transactions.add(Transaction(records, is_committed, draw.random() / 2))

    async def _deploy(
        self, producer: AIOKafkaProducer, tool: str, behaviour: str, draw: Random | None = None
    ) -> None:
        draw = draw or Random(f"{tool} {behaviour}")
        deployment = self._new_deployment(tool, behaviour, draw)
        self._deployed[tool] = deployment
        await self._send(
            producer, "tool-deployments", tool, deployment.to_bytes(), deployment.deployment_id
        )

    def _new_deployment(self, tool: str, behaviour: str, draw: Random) -> Deployment:
        return Deployment(
            deployment_id=UUID(int=draw.getrandbits(128)),
            tool_name=tool,
            code=f"# {behaviour}\nREVISION = {draw.randrange(4)}\n",
            created_by=draw.choice(("human", "autonomous")),
            improvement_type="bug_fix",
            deployed_at=datetime.now(UTC),
        )

    async def _roll_back(
        self, producer: AIOKafkaProducer, tool: str, draw: Random, command_id: UUID | None = None
    ) -> None:
        known = self._history[tool] or [1]
        command = RollbackCommand(
            command_id=command_id or UUID(int=draw.getrandbits(128)),
            tool_name=tool,
            to_version_id=draw.choice((*known[-4:], 999_999_999)),
            tier="manual",
            reason="manual",
            details={"reason": "chaos"},
            issued_by="human",
            issued_at=datetime.now(UTC),
        )
        await self._send(
            producer, "rollback-commands", tool, command.to_bytes(), command.command_id
        )

    async def _use_ids_first(self, producer: AIOKafkaProducer, tool: str, draw: Random) -> None:
        """Use ids that another request of this or of another tool has, or will have.

        A person's command has the id that the detector gives to its next one; a deployment of this
        tool and an execution have the ids of those of other tools.
        """
        current = self.versions.get(tool)
        if current is not None:
            coming = current.activation + draw.randrange(3)
            command_id = automatic_command_id(tool, current.version_id, coming, 1)
            await self._roll_back(producer, tool, draw, command_id)
        other = draw.choice(self._tools)
        if other != tool and other in self._deployed:
            deployment = self._new_deployment(tool, _behaviour(draw), draw)
            same = {"deployment_id": self._deployed[other].deployment_id}
            value = deployment.model_copy(update=same).to_bytes()
            await self._send(producer, "tool-deployments", tool, value)
        if other != tool and self._past[other]:
            past = Execution.from_bytes(draw.choice(self._past[other]))
            mine = past.model_copy(update={"tool_name": tool, "version_id": None})
            await self._send(producer, "tool-executions", tool, mine.to_bytes())

    async def _poison(self, producer: AIOKafkaProducer, tool: str, draw: Random) -> None:
        poison = draw.choice(POISONS)
        made = poison.make(tool, draw)
        await self._send(
            producer, poison.topic, tool, made.value, key=made.key, partition=made.partition,
            headers=[(HEADER, poison.cause.encode())],
        )  # fmt: skip

    async def _send(
        self,
        producer: AIOKafkaProducer,
        topic: str,
        tool: str,
        value: bytes | None,
        record_id: UUID | None = None,
        **more: Any,
    ) -> None:
        key = more.pop("key", tool.encode())
        self.sent += 1
        try:
            sent = await producer.send(topic, value, key=key, **more)
        except KafkaError:
            self.failed += 1
            return
        sent.add_done_callback(lambda done: self._note(done, topic, record_id))

    def _note(self, done: "asyncio.Future[Any]", topic: str, record_id: UUID | None) -> None:
        if done.cancelled() or done.exception() is not None:
            self.failed += 1
        elif record_id is not None:
            self.acknowledged[topic].add(record_id)


def _behaviour(draw: Random) -> str:
    if draw.random() < 0.5:
        return "fails 0.02 ValueError"
    rate = draw.choice((1.0, 0.95, 0.6, 0.4))
    return f"fails {rate} {draw.choice(('TypeError', 'ValueError', 'KeyError'))}"


def _failures_of(code: str) -> tuple[float, str]:
    match = re.match(r"# fails (\S+) (\w+)", code)
    assert match is not None
    return float(match[1]), match[2]
