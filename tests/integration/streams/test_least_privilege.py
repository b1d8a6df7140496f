"""Each role does its whole work with what `docs/security.md` gives it, and nothing else."""

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer
from aiokafka.errors import TopicAuthorizationFailedError

from db.postgres.pool import connect
from db.rollbacks.pins import pin, unpin
from rollguard.client import EngineClient
from rollguard.operations.setup import create_missing_topics
from schemas.deployment import ToolVersion
from schemas.rollback import RollbackOutcome
from schemas.settings import load_settings
from streams.access import kafka_options
from streams.topics import Topics
from tests.support.kafka import APACHE
from tests.support.secure_kafka import SecureKafka, password_of
from tests.support.stored import command
from tests.support.system import System, execution, until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

_DOC = (Path(__file__).parents[3] / "docs" / "security.md").read_text()
_JARS = APACHE.parents[2] / ".cache" / "kafka"
ROLES = ("detector", "applier", "recorder")


def acls(prefix: str) -> list[list[str]]:
    """The document's table as arguments of Kafka's own tool, one list for each row."""
    rows = re.findall(r"^\| (\w+) \| (topic|group) \| (.+?) \| (.+?) \|$", _DOC, re.MULTILINE)
    assert len(rows) >= 10
    everything = Topics.of(load_settings(topic_prefix="")).all()
    found = []
    for party, kind, names, operations in rows:
        listed = everything if names == "all" else names.split(", ")
        arguments = ["--add", "--allow-principal", f"User:{party}"]
        for operation in operations.split(", "):
            arguments += ["--operation", operation]
        for name in listed:
            arguments += [f"--{kind}", prefix + name]
        found.append(arguments)
    return found


def allow(kafka: SecureKafka, arguments: list[str]) -> None:
    [jars] = [folder for folder in _JARS.iterdir() if folder.name.isdecimal()]
    command = ["java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", f"{jars}/*"]
    tool = ["org.apache.kafka.tools.AclCommand", "--bootstrap-server", kafka.admin]
    subprocess.run([*command, *tool, *arguments], check=True, capture_output=True, timeout=60)


async def grant(dsn: str) -> dict[str, str]:
    """Make the document's login roles with its grants alone; the DSN of each."""
    sql = re.search(r"```sql\n(.*?)```", _DOC, re.DOTALL)
    assert sql is not None
    suffix = uuid4().hex[:8]
    statements = re.sub(
        r"\brollguard_(applier|recorder|reader|operator)\b", rf"\g<0>_{suffix}", sql[1]
    )
    connection = await asyncpg.connect(dsn)
    try:
        database = await connection.fetchval("select current_database()")
        await connection.execute(f"revoke all on database {database} from public")
        await connection.execute("revoke all on schema public from public")
        roles = ("applier", "recorder", "reader", "operator")
        names = {role: f"rollguard_{role}_{suffix}" for role in roles}
        for name in names.values():
            await connection.execute(f"create role {name} login")
            await connection.execute(f"grant connect on database {database} to {name}")
        await connection.execute(statements)
    finally:
        await connection.close()
    return {role: _as_user(dsn, name) for role, name in names.items()}


def _as_user(dsn: str, user: str) -> str:
    parts = urlsplit(dsn)
    host = parts.netloc.rpartition("@")[2]
    changed = urlunsplit(parts._replace(netloc=f"{user}@{host}"))
    return changed if "://" in changed else dsn


@pytest_asyncio.fixture
async def restricted(
    doors: SecureKafka, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> AsyncIterator[tuple[System, dict[str, str]]]:
    """Three roles that may do what the document says; the DSN of each."""
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda row: allow(doors, row), acls(topic_prefix)))
    dsns = await grant(database_dsn)
    started = System.started(doors.admin, database_dsn, topic_prefix, tmp_path, ())
    async with started as system:
        for role in ROLES:
            access = {
                f"ROLLGUARD_{name.upper()}": value for name, value in doors.access(role).items()
            }
            dsn = dsns.get(role, "postgresql://nobody@127.0.0.1:1/none")
            access["ROLLGUARD_LOG_LEVEL"] = "debug"
            await system.spawn(role, **access, ROLLGUARD_POSTGRES_DSN=dsn)
        await system.detector_ready()
        yield system, dsns


async def test_the_whole_work(
    restricted: tuple[System, dict[str, str]], doors: SecureKafka
) -> None:
    system, dsns = restricted
    prefix = system.settings.topic_prefix
    settings = load_settings(**doors.access("engine"), topic_prefix=prefix)
    async with EngineClient(settings) as engine:
        first = await engine.deploy("parser", "def execute(): return 1")
        second = await engine.deploy("parser", "def execute(x): return 1")
        assert (first.version_number, second.version_number) == (1, 2)
        bad = [execution("parser", "ValueError: no", version_id=second.version_id)] * 3
        for each in bad:
            await engine.publish_execution(each.model_copy(update={"execution_id": uuid4()}))
        outcome = await system.first(system.topics.outcomes, lambda _: True)
        assert RollbackOutcome.from_bytes(outcome.value).status == "applied"
        assert first.version_id is not None
        back = await engine.rollback("parser", first.version_id, "again")
        assert back.rejection == "already_current"
        assert second.version_id is not None
        await engine.rollback("parser", second.version_id, "it was not the code")
        wish = command(
            "parser",
            **{"tier": "fast", "reason": "regression", "mode": "hold"},
            issued_at=datetime.now(UTC),
        )
        assert (await engine.command(wish)).status == "held"
        approved = await engine.command(wish.model_copy(update={"approved_by": "ann"}))
        assert (approved.status, approved.to_version_id) == ("applied", first.version_id)
        await _pin(dsns["operator"], "parser")
        pinned = wish.model_copy(update={"command_id": uuid4(), "mode": None})
        assert (await engine.command(pinned)).rejection == "pinned"
    await system.executions_recorded("parser", 3)
    await system.send(system.topics.executions, "parser", b"{")
    await system.send(system.topics.deployments, "parser", b"{")
    await system.records(system.topics.dead_letters, 2)
    versions = await system.records(system.topics.versions, 3)
    numbers = [ToolVersion.from_bytes(record.value).version_number for record in versions]
    assert numbers == [1, 2, 1]

    async def counted() -> bool:
        sql = "select total_executions from tool_versions where version_id = $1"
        return bool((await system.query(sql, second.version_id))[0][0] == 3)

    await until(counted)
    assert [worker.returncode for worker in system.workers] == [None, None, None]
    for role in ROLES:
        assert password_of(role) not in system.log(role)

    for role, topic in (
        ("detector", system.topics.versions),
        ("detector", system.topics.executions),
        ("recorder", system.topics.executions),
        ("applier", system.topics.commands),
        ("engine", system.topics.versions),
    ):
        with pytest.raises(TopicAuthorizationFailedError):
            await _publish(doors, role, topic)
    for role, sql in (
        ("recorder", "update tool_versions set code = ''"),
        ("recorder", "delete from tool_executions"),
        ("applier", "delete from tool_versions"),
        ("applier", "select * from tool_executions"),
        ("applier", "delete from pins"),
        ("applier", "update rollbacks set details = '{}'"),
        ("reader", "insert into recorder_current values ('x', 1, 1)"),
        ("reader", "delete from pins"),
        ("operator", "update rollbacks set status = 'applied'"),
    ):
        connection = await asyncpg.connect(dsns[role])
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(sql)
        await connection.close()


async def _pin(dsn: str, tool: str) -> None:
    """Pin the tool, unpin it, and pin it twice."""
    connection = await connect(dsn)
    try:
        assert await pin(connection, tool, "release", "ann", None) is not None
        assert await unpin(connection, tool) is not None
        for _ in range(2):
            assert await pin(connection, tool, "release", "ann", None) is not None
    finally:
        await connection.close()


async def _publish(kafka: SecureKafka, user: str, topic: str) -> None:
    producer = AIOKafkaProducer(**kafka_options(load_settings(**kafka.access(user))))
    await producer.start()
    try:
        await producer.send_and_wait(topic, b"{}", key=b"parser")
    finally:
        await producer.stop()


async def test_the_operator_creates_topics(doors: SecureKafka, topic_prefix: str) -> None:
    for row in acls(topic_prefix):
        if "User:operator" in row:
            await asyncio.to_thread(allow, doors, row)
    settings = load_settings(**doors.access("operator"), topic_prefix=topic_prefix)
    created = await create_missing_topics(settings)
    assert sorted(created) == sorted(Topics.of(settings).all())
