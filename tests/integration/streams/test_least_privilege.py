"""Each role does all its work with the rights that `docs/security.md` grants it, and no others."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer
from aiokafka.errors import TopicAuthorizationFailedError

from db.postgres.pool import connect
from rollguard.client import EngineClient
from rollguard.embedded.ports import free_port
from rollguard.operations.setup import create_missing_topics
from rollguard_client.kafka.access import kafka_options
from schemas.deployment import ToolVersion
from schemas.engine_report import EngineReport
from schemas.rollback import RollbackOutcome
from schemas.settings import load_settings
from streams.admin import kafka_admin
from streams.broker_topics.checks import check_settings, require_topics
from streams.partitions import partition_of
from streams.topics import Topics
from tests.support.inputs.messages import execution
from tests.support.inputs.stored import begin_stop, command, end_stop
from tests.support.notifications import SECRET, FakeReceiver, fake_receiver, outcome
from tests.support.servers.kafka_acls import acl, acls, allow
from tests.support.servers.login_roles import create_login_roles
from tests.support.servers.secure_kafka import SecureKafka, password_of
from tests.support.systems.system import System
from tests.support.waiting import until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(720)]

ROLES = ("detector", "applier", "recorder")


_NOTIFY = """
[[receivers]]
name = "hook"
kind = "webhook"
url = "URL"
secret = {env = "HOOK_SECRET"}
"""


async def _is_told(receiver: FakeReceiver) -> bool:
    return bool(receiver.taken)


@pytest_asyncio.fixture
async def restricted(
    secure_kafka: SecureKafka, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> AsyncIterator[tuple[System, dict[str, str]]]:
    """Run the three roles with the rights that the page grants; yield the DSN of each, too."""
    await allow(secure_kafka, acls(topic_prefix))
    dsns = await create_login_roles(database_dsn)
    started = System.started(secure_kafka.admin, database_dsn, topic_prefix, tmp_path, ())
    async with started as system:
        for role in ROLES:
            access = {
                f"ROLLGUARD_{name.upper()}": value
                for name, value in secure_kafka.access(role).items()
            }
            dsn = dsns.get(role, "postgresql://nobody@127.0.0.1:1/none")
            access["ROLLGUARD_LOG_LEVEL"] = "debug"
            await system.spawn(role, **access, ROLLGUARD_POSTGRES_DSN=dsn)
        await system.detector_ready()
        yield system, dsns


async def test_all_work_is_done_with_the_granted_rights(
    restricted: tuple[System, dict[str, str]], secure_kafka: SecureKafka
) -> None:
    system, dsns = restricted
    prefix = system.settings.topic_prefix
    settings = load_settings(**secure_kafka.access("engine"), topic_prefix=prefix)
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
        held = command(
            "parser",
            **{"tier": "fast", "reason": "regression", "mode": "hold"},
            issued_at=datetime.now(UTC),
        )
        assert (await engine.command(held)).status == "held"
        approved = await engine.command(held.model_copy(update={"approved_by": "ann"}))
        assert (approved.status, approved.to_version_id) == ("applied", first.version_id)
        await _stop(dsns["operator"], "parser")
        pinned = held.model_copy(update={"command_id": uuid4(), "mode": None})
        assert (await engine.command(pinned)).rejection == "pinned"
    misplaced = execution("parser", version_id=second.version_id)
    elsewhere = (partition_of(b"parser", system.settings.partitions) + 1) % 4
    await system.send(system.topics.executions, "parser", misplaced, partition=elsewhere)
    await system.executions_recorded("parser", 4)
    await system.send(system.topics.executions, "parser", b"{")
    await system.send(system.topics.deployments, "parser", b"{")
    await system.send(system.topics.reports, "parser", b"{")
    await system.records(system.topics.dead_letters, 3)
    report = EngineReport(
        engine_id="e7",
        tool_name="parser",
        version_id=first.version_id,
        version_number=1,
        activation=1,
        ok=True,
        loaded_at=datetime.now(UTC),
    )
    await _publish(secure_kafka, "engine", system.topics.reports, report.key, report.to_bytes())
    versions = await system.records(system.topics.versions, 3)
    numbers = [ToolVersion.from_bytes(record.value).version_number for record in versions]
    assert numbers == [1, 2, 1]

    async def counted() -> bool:
        sql = "select total_executions from tool_versions where version_id = $1"
        return bool((await system.query(sql, second.version_id))[0][0] == 4)

    await until(counted)

    async def is_reported() -> bool:
        return bool(await system.query("select from engine_reports where engine_id = 'e7'"))

    await until(is_reported)
    assert [worker.returncode for worker in system.running] == [None, None, None]
    for role in ROLES:
        assert password_of(role) not in system.log(role)
        assert "topic_settings_unread" not in system.log(role)
    await _require_no_other_rights(system, secure_kafka, dsns)
    await _a_notifier_tells(system, secure_kafka)


async def _require_no_other_rights(
    system: System, secure_kafka: SecureKafka, dsns: dict[str, str]
) -> None:
    for role, topic in (
        ("detector", system.topics.versions),
        ("detector", system.topics.deployments),
        ("recorder", system.topics.executions),
        ("recorder", system.topics.reports),
        ("applier", system.topics.commands),
        ("engine", system.topics.versions),
    ):
        with pytest.raises(TopicAuthorizationFailedError):
            await _publish(secure_kafka, role, topic)
    for role, sql in (
        ("recorder", "update tool_versions set code = ''"),
        ("recorder", "delete from tool_executions"),
        ("applier", "delete from tool_versions"),
        ("applier", "select * from tool_executions"),
        ("applier", "delete from stops"),
        ("applier", "update stops set reason = ''"),
        ("applier", "update rollbacks set details = '{}'"),
        ("reader", "insert into recorder_current values ('x', 1, 1)"),
        ("reader", "update stops set ended_at = now(), ended_how = 'removed'"),
        ("operator", "delete from stops"),
        ("operator", "update rollbacks set status = 'applied'"),
    ):
        connection = await asyncpg.connect(dsns[role])
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(sql)
        await connection.close()


async def _a_notifier_tells(system: System, secure_kafka: SecureKafka) -> None:
    """Start a notifier with its rights, and let it tell a receiver of something."""
    access = {
        f"ROLLGUARD_{name.upper()}": value
        for name, value in secure_kafka.access("notifier").items()
    }
    file = system.folder / "notify.toml"
    system.ports["notifier"] = free_port()
    async with fake_receiver() as hook:
        file.write_text(_NOTIFY.replace("URL", hook.url))
        await system.spawn("notifier", **access, ROLLGUARD_NOTIFY=str(file), HOOK_SECRET=SECRET)
        await system.all_ready("notifier")
        await system.send(system.topics.outcomes, "words", b"{", outcome("words"))
        await until(lambda: _is_told(hook))
        await system.records(system.topics.dead_letters, 1, "words")
        assert password_of("notifier") not in system.log("notifier")
        with pytest.raises(TopicAuthorizationFailedError):
            await _publish(secure_kafka, "notifier", system.topics.outcomes)


async def _stop(dsn: str, tool: str) -> None:
    """Begin each kind of stop, end it, and begin it twice."""
    connection = await connect(dsn)
    try:
        for kind in ("pin", "freeze"):
            assert await begin_stop(connection, kind, tool) is not None
            assert await end_stop(connection, kind, tool) is not None
            for _ in range(2):
                assert await begin_stop(connection, kind, tool) is not None
    finally:
        await connection.close()


async def _publish(
    kafka: SecureKafka, user: str, topic: str, key: bytes = b"parser", value: bytes = b"{}"
) -> None:
    producer = AIOKafkaProducer(**kafka_options(load_settings(**kafka.access(user))))
    await producer.start()
    try:
        await producer.send_and_wait(topic, value, key=key)
    finally:
        await producer.stop()


async def test_an_operator_can_create_topics(secure_kafka: SecureKafka, topic_prefix: str) -> None:
    await allow(secure_kafka, acls(topic_prefix, "operator"))
    settings = load_settings(**secure_kafka.access("operator"), topic_prefix=topic_prefix)
    created = await create_missing_topics(settings)
    assert sorted(created) == sorted(Topics.of(settings).all())


async def test_settings_that_kafka_does_not_show(
    secure_kafka: SecureKafka, topic_prefix: str
) -> None:
    """A user of an earlier version has no right to read them."""
    topics = Topics.of(load_settings(topic_prefix=topic_prefix)).all()
    granted = [acl("stranger", "topic", topic, "Describe") for topic in topics]
    await allow(secure_kafka, granted)
    everything = load_settings(kafka_brokers=secure_kafka.admin, topic_prefix=topic_prefix)
    await create_missing_topics(everything)
    settings = load_settings(**secure_kafka.access("stranger"), topic_prefix=topic_prefix)
    async with kafka_admin(settings) as admin:
        found = await check_settings(admin, settings)
        assert await require_topics(admin, settings) == settings.partitions
    assert (found.wrong, sorted(found.unread)) == ([], sorted(topics))
