"""The workload of a run: producers execute what the engines have in use, deploy and make mistakes.

Some executions and deployments are sent in transactions, of which some are aborted: those records
never happened. The records of aborted transactions are failures, so that it matters. If the workers
require signatures, the producers sign, and an attacker is at work, too.

Some producers place records as librdkafka does: a share of the executions, and all deployments and
commands of every third tool, because only the order of one partition is kept.

The acts, their order, their tools and their results are drawn from the seed alone. The version that
an execution names depends on when the engine reads of the version, as in production. The code of a
version contains what its executions are like (``tests/chaos/behaviour.py``).
"""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final
from uuid import UUID
from zlib import crc32

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas.deployment import Check, Deployment
from schemas.execution import Execution
from schemas.failures.failure_classes import ErrorOrigin
from schemas.rollback import RollbackCommand, automatic_command_id
from schemas.settings import Settings
from tests.chaos.attack.attacker import Attacker
from tests.chaos.attack.forgeries import POISON, UNANSWERED, Forgery
from tests.chaos.attack.keys import PERSON, HonestSigner
from tests.chaos.behaviour import HEALTHY, Behaviour
from tests.chaos.engines import Engines
from tests.chaos.judges import Judges, Success
from tests.chaos.placement import others_partition_of
from tests.chaos.poison import POISONS
from tests.chaos.transactions import Transaction, TransactionalRecord, Transactions

OUTAGE_EVERY: Final = 3_000
OUTAGE_FROM: Final = 2_500
"""Under policy `guarded` there are outages: of 3,000 acts, all executions from this one on fail."""
SESSIONS: Final = (None, None, *(f"session-{number}" for number in range(20)))

ORIGINS: Final[Sequence[ErrorOrigin | None]] = (*[None] * 8, "tool", "caller", "environment")
"""Whose failure it is; most engines do not say it."""
BUSY: Final = 0.5
"""So many executions and verdicts are about the first tools: the quality tests need many."""
BUSY_TOOLS: Final = 5
BUSY_DEPLOYMENTS: Final = 0.15
"""So many deployments are of these tools, of versions that quality tests may condemn."""

MISPLACED: Final = 0.2
"""So many executions and verdicts come from producers with another partitioner."""

CHECKS: Final = (None, None, [Check(name="smoke", ok=True)], [Check(name="smoke", ok=False)])

KINDS: Final = {
    "execute": 780,
    "judge": 140,
    "repeat": 20,
    "deploy": 30,
    "deploy_again": 4,
    "roll_back": 6,
    "use_ids_first": 6,
    "answer": 12,
    "poison": 20,
    "transaction": 12,
    "attack": 12,
}
"""How often each kind of act happens. Without signatures nobody attacks."""


def is_elsewhere(topic: str, tool: str, number: int) -> bool:
    """Return whether the record with this number comes from a producer as librdkafka is one."""
    if topic == "tool-executions":
        return Random(number).random() < MISPLACED
    return crc32(tool.encode()) % 3 == 0


class Workload:
    """Sends records while faults happen.

    ``acknowledged`` has, by topic, the ids of the records that the broker has acknowledged.
    """

    def __init__(
        self,
        settings: Settings,
        engines: Engines,
        seed: int,
        tools: int,
        rate: float,
        kinds: Mapping[str, int] = KINDS,
    ) -> None:
        self._settings = settings
        self.engines = engines
        self._signer = HonestSigner(settings)
        self.attacker: Attacker | None = None
        if settings.signatures == "require":
            self.attacker = Attacker(settings, engines.versions)
        self._kinds = {
            kind: share for kind, share in kinds.items() if kind != "attack" or self.attacker
        }
        self._random = Random(seed)
        self._tools = [f"tool-{number:03}" for number in range(tools)]
        self._rate = rate
        self.acknowledged: defaultdict[str, set[UUID]] = defaultdict(set)
        self.sent = 0
        self.failed = 0
        self._past: dict[str, deque[bytes]] = defaultdict(lambda: deque(maxlen=40))
        self._judges = Judges()
        self._deployed: dict[str, Deployment] = {}
        self._doubtful: deque[Deployment] = deque(maxlen=12)
        """The newest deployments of machines that failed a check."""
        self.answers = 0
        self._acts: dict[str, Callable[[AIOKafkaProducer, str, Random], Awaitable[None]]] = {
            "execute": self._execute,
            "judge": self._judge,
            "repeat": self._repeat,
            "deploy": self._deploy_another,
            "deploy_again": self._deploy_again,
            "roll_back": self._roll_back,
            "use_ids_first": self._use_ids_first,
            "answer": self._answer,
            "poison": self._poison,
            "transaction": self._transact,
            "attack": self._attack,
        }
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
        attacker = asyncio.create_task(self._run_attacker())
        transactions = asyncio.create_task(self.transactions.run(self._stopping))
        await producer.start()
        try:
            for tool in self._tools:
                await self._deploy(producer, tool, HEALTHY)
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
            attacker.cancel()
            with suppress(asyncio.CancelledError):
                await attacker
            await producer.stop()

    async def _run_attacker(self) -> None:
        if self.attacker is not None:
            await self.attacker.run()

    async def _act(self, producer: AIOKafkaProducer) -> None:
        random = self._random
        tool = random.choice(self._tools)
        kind = random.choices(list(self._kinds), list(self._kinds.values()))[0]
        # Draw for every kind, so that later draws do not depend on the versions that are known.
        draw = Random(random.getrandbits(64))
        if kind in ("execute", "judge") and draw.random() < BUSY:
            tool = draw.choice(self._tools[:BUSY_TOOLS])
        await self._acts[kind](producer, tool, draw)

    async def _repeat(self, producer: AIOKafkaProducer, tool: str, draw: Random) -> None:
        if self._past[tool]:
            await self._send(producer, "tool-executions", tool, draw.choice(self._past[tool]))

    async def _deploy_another(self, producer: AIOKafkaProducer, tool: str, draw: Random) -> None:
        behaviour = Behaviour.drawn(draw)
        if draw.random() < BUSY_DEPLOYMENTS:
            tool, behaviour = draw.choice(self._tools[:BUSY_TOOLS]), Behaviour.in_quality(draw)
        await self._deploy(producer, tool, behaviour, draw)

    async def _deploy_again(self, producer: AIOKafkaProducer, tool: str, _: Random) -> None:
        if tool in self._deployed:
            await self._send_signed(producer, "tool-deployments", self._deployed[tool])

    async def _execute(self, producer: AIOKafkaProducer, tool: str, draw: Random) -> None:
        version = self.engines.versions.get(tool)
        if version is None:
            return
        behaviour = Behaviour.of(version.code)
        failed = draw.random() < behaviour.fails or self._in_outage
        at = datetime.now(UTC) - timedelta(milliseconds=draw.randrange(50))
        if draw.random() < 0.03:
            at -= timedelta(seconds=draw.choice((20, 400, 4_000, 90_000)))
        version_id: int | None = version.version_id
        if draw.random() < 0.1:
            version_id = None
        elif draw.random() < 0.03:
            version_id = draw.choice(self.engines.history[tool])
        execution = Execution(
            execution_id=UUID(int=draw.getrandbits(128)),
            tool_name=tool,
            version_id=version_id,
            success=not failed,
            error=f"{behaviour.error}: it failed" if failed else None,
            executed_at=at,
            session_id=draw.choice(SESSIONS),
            error_origin=draw.choice(ORIGINS) if failed else None,
        )
        execution = execution.model_copy(update=behaviour.numbers(draw))
        if not failed:
            is_bad = draw.random() < behaviour.bad
            success = Success(execution.execution_id, version.version_id, is_bad)
            self._judges.note(tool, success)
        value = execution.to_bytes()
        self._past[tool].append(value)
        await self._send(producer, "tool-executions", tool, value, execution.execution_id)

    async def _judge(self, producer: AIOKafkaProducer, tool: str, draw: Random) -> None:
        verdict = self._judges.verdict(tool, draw)
        if verdict is not None:
            value = verdict.to_bytes()
            await self._send(producer, "tool-executions", tool, value, verdict.verdict_id)

    async def _transact(self, _: AIOKafkaProducer, tool: str, draw: Random) -> None:
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
            partition = others_partition_of(tool) if draw.random() < MISPLACED else None
            records.append(
                TransactionalRecord(
                    "tool-executions", tool, value, execution.execution_id, partition=partition
                )
            )
        verdict = self._judges.new_verdict(tool, draw)
        if verdict is not None:
            verdict = verdict if is_committed else verdict.model_copy(update={"bad": True})
            value = verdict.to_bytes()
            records.append(TransactionalRecord("tool-executions", tool, value, verdict.verdict_id))
        if draw.random() < 0.3:
            behaviour = Behaviour.drawn(draw) if is_committed else Behaviour(1.0, "TypeError")
            deployment = self._new_deployment(tool, behaviour, draw)
            value = deployment.to_bytes()
            headers = await self._signer.headers(deployment, value)
            is_there = is_elsewhere("tool-deployments", tool, 0)
            partition = others_partition_of(tool) if is_there else None
            records.append(
                TransactionalRecord(
                    "tool-deployments", tool, value, deployment.deployment_id, headers, partition
                )
            )
        self.sent += len(records)
        self.transactions.add(Transaction(records, is_committed, draw.random() / 2))

    async def _deploy(
        self,
        producer: AIOKafkaProducer,
        tool: str,
        behaviour: Behaviour,
        draw: Random | None = None,
    ) -> None:
        draw = draw or Random(tool)
        deployment = self._new_deployment(tool, behaviour, draw)
        self._deployed[tool] = deployment
        if deployment.created_by == "autonomous" and not all(
            check.ok for check in deployment.checks or ()
        ):
            self._doubtful.append(deployment)
        await self._send_forgeries_before(producer, deployment, draw)
        await self._send_signed(producer, "tool-deployments", deployment, deployment.deployment_id)

    def _new_deployment(self, tool: str, behaviour: Behaviour, draw: Random) -> Deployment:
        return Deployment(
            deployment_id=UUID(int=draw.getrandbits(128)),
            tool_name=tool,
            code=f"{behaviour.comment}\nREVISION = {draw.randrange(4)}\n",
            created_by=draw.choice(("human", "autonomous")),
            improvement_type="bug_fix",
            deployed_at=datetime.now(UTC),
            checks=draw.choice(CHECKS),
        )

    async def _answer(self, producer: AIOKafkaProducer, _: str, draw: Random) -> None:
        """Approve or dismiss a deployment that failed a check, perhaps again, or too late."""
        if self._doubtful:
            held = draw.choice(self._doubtful)
            by = draw.choice(("approved_by", "dismissed_by"))
            answer = held.model_copy(update={by: PERSON, "deployed_at": datetime.now(UTC)})
            self.answers += 1
            await self._send_signed(producer, "tool-deployments", answer)

    async def _roll_back(
        self, producer: AIOKafkaProducer, tool: str, draw: Random, command_id: UUID | None = None
    ) -> None:
        known = self.engines.history[tool] or [1]
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
        await self._send_forgeries_before(producer, command, draw)
        await self._send_signed(producer, "rollback-commands", command, command.command_id)

    async def _use_ids_first(self, producer: AIOKafkaProducer, tool: str, draw: Random) -> None:
        """Use ids that another request of this or of another tool has, or will have.

        A person's command has the id that the detector gives to its next one; a deployment of this
        tool and an execution have the ids of those of other tools.
        """
        current = self.engines.versions.get(tool)
        if current is not None:
            coming = current.activation + draw.randrange(3)
            command_id = automatic_command_id(tool, current.version_id, coming, 1)
            await self._roll_back(producer, tool, draw, command_id)
        other = draw.choice(self._tools)
        if other != tool and other in self._deployed:
            deployment = self._new_deployment(tool, Behaviour.drawn(draw), draw)
            same = {"deployment_id": self._deployed[other].deployment_id}
            await self._send_signed(
                producer, "tool-deployments", deployment.model_copy(update=same)
            )
        if other != tool and self._past[other]:
            past = Execution.from_bytes(draw.choice(self._past[other]))
            mine = past.model_copy(update={"tool_name": tool, "version_id": None})
            await self._send(producer, "tool-executions", tool, mine.to_bytes())

    async def _poison(self, producer: AIOKafkaProducer, tool: str, draw: Random) -> None:
        poison = draw.choice(POISONS)
        made = poison.make(tool, draw)
        signature = await self._signer.headers_of_value(poison.topic, made.value)
        headers = [(POISON, poison.cause.encode()), *signature]
        if self.attacker is not None and not signature:
            headers.append((UNANSWERED, b""))
        await self._send(
            producer, poison.topic, tool, made.value, key=made.key, partition=made.partition,
            headers=headers,
        )  # fmt: skip

    async def _attack(self, producer: AIOKafkaProducer, tool: str, draw: Random) -> None:
        assert self.attacker is not None, "only then it is one of the kinds"
        await self._send_forgeries(producer, await self.attacker.attack(tool, draw))

    async def _send_forgeries_before(
        self, producer: AIOKafkaProducer, message: Deployment | RollbackCommand, draw: Random
    ) -> None:
        if self.attacker is not None:
            await self._send_forgeries(producer, self.attacker.before(message, draw))

    async def _send_forgeries(
        self, producer: AIOKafkaProducer, forgeries: Sequence[Forgery]
    ) -> None:
        for topic, tool, value, headers in forgeries:
            more: dict[str, Any] = {"headers": headers}
            if topic == "tool-executions":
                more["partition"] = None  # where they lie must not be why they are refused
            # Others lie where the tool's own are: only the order of one partition is kept.
            await self._send(producer, topic, tool, value, **more)

    async def _send_signed(
        self,
        producer: AIOKafkaProducer,
        topic: str,
        message: Deployment | RollbackCommand,
        record_id: UUID | None = None,
    ) -> None:
        """Send what an honest producer says, signed if the workers require it."""
        tool, value = message.tool_name, message.to_bytes()
        headers = await self._signer.headers(message, value)
        if self.attacker is not None:
            self.attacker.overhear(topic, tool, value, headers)
        await self._send(producer, topic, tool, value, record_id, headers=headers)

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
        if "partition" not in more and is_elsewhere(topic, tool, self.sent):
            more["partition"] = others_partition_of(tool)
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
