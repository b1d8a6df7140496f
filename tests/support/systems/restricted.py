"""A system on a secure broker that requires signatures, and an attacker with an engine's rights.

Each worker has only the permissions that `docs/security.md` grants its role. The system runs once
for all tests of a module.
"""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer

from rollguard_client.kafka.access import kafka_options
from schemas.dead_letter import DeadLetter
from schemas.message import MAX_REQUEST_BYTES, Message
from schemas.settings import Settings, load_settings
from tests.support.inputs.signing import KEY_OF_ROLE, settings_of, variables, write_files
from tests.support.servers.kafka import new_topic_prefix
from tests.support.servers.kafka_acls import acls, allow
from tests.support.servers.login_roles import create_login_roles
from tests.support.servers.postgres import PostgresServer
from tests.support.servers.secure_kafka import SecureKafka
from tests.support.systems.system import System
from tests.support.systems.workers import Workers
from tests.support.waiting import until


class Attacker:
    """A producer with an engine's rights in Kafka and no key. What it sends is acknowledged."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.producer = AIOKafkaProducer(
            **kafka_options(settings), max_request_size=MAX_REQUEST_BYTES
        )

    async def send(
        self,
        topic: str,
        message: Message | bytes,
        tool: str,
        headers: list[tuple[str, bytes]] | None = None,
    ) -> None:
        value = message if isinstance(message, bytes) else message.to_bytes()
        await self.producer.send_and_wait(topic, value, key=tool.encode(), headers=headers)


class RestrictedSystem(System):
    """The three roles, as the clients of one test see them; the clients have all rights."""

    engine: Settings
    """The settings of an engine, with its rights."""
    dsns: Mapping[str, str]
    """How the roles of the page reach Postgres."""

    @property
    def ann(self) -> Settings:
        """The settings of an engine that has Ann's key."""
        return settings_of(self.engine, self.folder, "ann")

    async def dead_letters(
        self, count: int, matches: Callable[[DeadLetter], bool]
    ) -> list[DeadLetter]:
        """Return the first dead letters that match; wait for them."""
        found: dict[tuple[str, int, int], DeadLetter] = {}

        async def are_there() -> bool:
            async with self.reader(self.topics.dead_letters) as consumer:
                ends = await consumer.end_offsets(consumer.assignment())
                while any([await consumer.position(each) < end for each, end in ends.items()]):
                    for records in (await consumer.getmany(timeout_ms=200)).values():
                        for letter in (DeadLetter.from_bytes(each.value) for each in records):
                            if matches(letter):
                                found[letter.topic, letter.partition, letter.offset] = letter
            return len(found) >= count

        await until(are_there)
        return list(found.values())

    async def version_of(self, tool: str) -> dict[str, Any]:
        """Return the current row of a tool."""
        sql = "SELECT * FROM tool_versions WHERE tool_name = $1 AND is_current"
        [row] = await self.query(sql, tool)
        return dict(row)

    async def rolled_back_to(self, tool: str, version_id: int) -> None:
        """Return when this version is current again."""

        async def is_current() -> bool:
            return bool((await self.version_of(tool))["version_id"] == version_id)

        await until(is_current)


@pytest_asyncio.fixture
async def restricted(
    _restricted: tuple[Workers, Mapping[str, str]], secure_kafka: SecureKafka
) -> AsyncIterator[RestrictedSystem]:
    """Yield clients of the system that all tests of the module use."""
    workers, dsns = _restricted
    async with RestrictedSystem.of(workers) as system:
        system.running, system.dsns = workers.running, dsns
        system.engine = load_settings(
            **secure_kafka.access("engine"),
            topic_prefix=workers.settings.topic_prefix,
            data_dir=workers.folder,
        )
        yield system


@pytest_asyncio.fixture
async def attacker(restricted: RestrictedSystem) -> AsyncIterator[Attacker]:
    """Yield a producer with an engine's rights."""
    attacker = Attacker(restricted.engine)
    async with attacker.producer:
        yield attacker


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def _restricted(
    secure_kafka: SecureKafka,
    postgres_server: PostgresServer,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> AsyncIterator[tuple[Workers, Mapping[str, str]]]:
    prefix, folder = new_topic_prefix(), tmp_path_factory.mktemp("restricted")
    await allow(secure_kafka, acls(prefix))
    write_files(folder, "ann", "robot", "applier", "detector")
    rules = {"ROLLGUARD_POLICY": "guarded", "ROLLGUARD_TOOLS": json.dumps(request.module.RULES)}
    with postgres_server.database() as dsn:
        dsns = await create_login_roles(dsn)
        workers = await Workers.prepared(secure_kafka.admin, dsn, prefix, folder)
        try:
            for role, key in KEY_OF_ROLE.items():
                access = {
                    f"ROLLGUARD_{name.upper()}": value
                    for name, value in secure_kafka.access(role).items()
                }
                access["ROLLGUARD_POSTGRES_DSN"] = dsns.get(
                    role, "postgresql://nobody@127.0.0.1:1/none"
                )
                await workers.spawn(role, **access, **variables(folder, key), **rules)
            await workers.detector_ready()
            yield workers, dsns
        finally:
            await workers.stop_all()
