"""An engine with the rights that `docs/security.md` grants attacks workers that require signatures.

The broker is an Apache Kafka with TLS, SCRAM users and ACLs.
"""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer
from aiokafka.errors import TopicAuthorizationFailedError

from rollguard.client import EngineClient
from rollguard.registry import ToolRegistry
from schemas.dead_letter import DeadLetter
from schemas.deployment import ToolVersion
from schemas.message import Message
from schemas.rollback import RollbackCommand, automatic_command_id
from schemas.settings import Settings, load_settings
from streams.access import kafka_options
from tests.support.kafka_acls import acls, allow
from tests.support.login_roles import create_login_roles
from tests.support.messages import activation, deployment, execution
from tests.support.secure_kafka import SecureKafka
from tests.support.signing import settings_of, variables, write_files
from tests.support.system import System
from tests.support.waiting import until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

TOOL = "parser"
GREATEST = 2**31 - 1


@pytest_asyncio.fixture
async def restricted(
    secure_kafka: SecureKafka, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> AsyncIterator[System]:
    """Run the three roles with their rights, and with keys of their own."""
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda row: allow(secure_kafka, row), acls(topic_prefix)))
    dsns = await create_login_roles(database_dsn)
    write_files(tmp_path, "ann", "robot", "applier", "detector")
    started = System.started(secure_kafka.admin, database_dsn, topic_prefix, tmp_path, ())
    async with started as system:
        for role in ("detector", "applier", "recorder"):
            access = {
                f"ROLLGUARD_{name.upper()}": value
                for name, value in secure_kafka.access(role).items()
            }
            access["ROLLGUARD_POSTGRES_DSN"] = dsns.get(
                role, "postgresql://nobody@127.0.0.1:1/none"
            )
            key = None if role == "recorder" else role
            await system.spawn(role, **access, **variables(tmp_path, key))
        await system.detector_ready()
        yield system


def command(**fields: Any) -> RollbackCommand:
    values: dict[str, Any] = {
        "command_id": uuid4(),
        "tool_name": TOOL,
        "tier": "manual",
        "reason": "manual",
        "issued_by": "ann",
        "issued_at": datetime.now(UTC),
    }
    return RollbackCommand(**(values | fields))


class Text:
    """A loader for which the tool is the code."""

    async def load(self, version: ToolVersion) -> str:
        return version.code

    async def unload(self, tool: str) -> None:
        return


class Attacker:
    """A producer with an engine's rights that signs nothing."""

    def __init__(self, settings: Settings) -> None:
        self._producer = AIOKafkaProducer(**kafka_options(settings))

    async def __aenter__(self) -> "Attacker":
        await self._producer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()

    async def __call__(self, topic: str, message: Message) -> None:
        await self._producer.send_and_wait(topic, message.to_bytes(), key=TOOL.encode())


async def test_an_engine_can_neither_blind_nor_stop_nor_order_nor_take_an_id(
    restricted: System, secure_kafka: SecureKafka
) -> None:
    system, topics = restricted, restricted.topics
    access = secure_kafka.access("engine")
    engine = load_settings(
        **access, topic_prefix=system.settings.topic_prefix, data_dir=system.folder
    )
    by_ann = settings_of(engine, system.folder, "ann")
    async with EngineClient(by_ann) as client, Attacker(engine) as attack:
        first = await client.deploy(TOOL, "def execute(x): pass")
        broken = await client.deploy(TOOL, "def execute(): pass")
        assert first.version_id is not None
        assert broken.version_id is not None
        public = automatic_command_id(TOOL, broken.version_id, broken.activation or 0, 1)
        wanted = uuid4()
        forged = [
            (topics.executions, activation(TOOL, first.version_id, GREATEST)),
            (topics.commands, command(command_id=public, to_version_id=99)),
            (topics.commands, command(to_version_id=first.version_id)),
            (
                topics.commands,
                command(command_id=public, tier="fast", reason="regression", approved_by="ann"),
            ),
            (topics.deployments, deployment(TOOL, "evil = 1", deployment_id=wanted)),
        ]
        for topic, message in forged:
            await attack(topic, message)
        letters = await system.records(topics.dead_letters, len(forged))
        errors = [DeadLetter.from_bytes(each.value).error for each in letters]
        assert all("no signature" in error for error in errors), errors
        assert await system.query("SELECT FROM rollbacks") == []
        assert len(await system.query("SELECT FROM deployments")) == 2
        with pytest.raises(TopicAuthorizationFailedError):
            await attack(topics.versions, activation(TOOL, 1, 1))

        async with ToolRegistry(settings_of(engine, system.folder), Text()) as registry:
            for _ in range(2):
                await client.publish_execution(execution(TOOL, "TypeError: x"))
            back = await registry.wait_for(TOOL, lambda each: each.version.activation == 3, 30)
            assert back.version.version_id == first.version_id
        [row] = await system.query("SELECT command_id, status, issued_by FROM rollbacks")
        assert tuple(row) == (public, "applied", "detector")
        third = await client.deploy(TOOL, "good = 1", deployment_id=wanted)
        assert (third.status, third.activation) == ("created", 4)
    await system.executions_recorded(TOOL, 2)

    async def counted() -> bool:
        sql = "SELECT total_executions FROM tool_versions WHERE version_id = $1"
        return bool((await system.query(sql, broken.version_id))[0][0] == 2)

    await until(counted)
    assert [worker.returncode for worker in system.running] == [None, None, None]
