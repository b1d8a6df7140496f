"""Topics that somebody changes while roles run: nothing is lost, and an operator is told how on."""

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from agents.worker.health_monitor import INTERVAL_S
from rollguard.embedded.ports import free_port
from rollguard.operations.overview.status import system_status
from schemas.settings import load_settings
from streams.admin import kafka_admin
from streams.partitions import partition_of
from streams.topics import Topics
from tests.support.inputs.messages import deployment, execution
from tests.support.servers.topic_changes import (
    all_records,
    create_topic,
    run_kafka_configs,
    set_partitions,
    tools_by_move,
)
from tests.support.systems.command_line import rollguard
from tests.support.systems.system import System
from tests.support.systems.workers import Workers
from tests.support.waiting import until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(540)]

ROLES = ("detector", "applier", "recorder")
BEFORE, AFTER = 4, 6


@pytest.fixture
def kafka(apache_kafka: str) -> str:
    return apache_kafka


async def held(system: System, *texts: str) -> None:
    """Require that every role says within a minute that it is held, and why, and stays alive.

    The log names the address of the broker; the page, without a token, does not.
    """
    on_page = [text.replace(system.settings.kafka_brokers[0], "…") for text in texts]
    for role in ROLES:

        async def says(role: str = role) -> bool:
            status, body = await system.page(role, "/readyz")
            return status == 503 and all(text in str(body["reasons"]) for text in on_page)

        with suppress(TimeoutError):
            await until(says, 60)
        assert await says(), (await system.page(role, "/readyz"), system.log(role)[-2000:])
        assert (await system.page(role, "/healthz"))[0] == 200
        [event] = [each for each in events(system, role) if each["event"] == "topics_changed"]
        assert event["level"] == "error"
        assert all(text in event["cause"] for text in texts)


def events(system: System, role: str) -> list[dict[str, Any]]:
    lines = system.log(role).splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


async def refused(system: Workers, role: str, **more: str) -> str:
    """Start a role that must not start; return what it said."""
    before = len(system.log(role)) if (system.folder / f"{role}.log").exists() else 0
    worker = await system.spawn(role, **more)
    assert await asyncio.wait_for(worker.wait(), 120) == 1
    return system.log(role)[before:]


async def test_partitions_that_are_added_lose_nothing(system: System) -> None:
    moves = tools_by_move(BEFORE, AFTER)
    moved, stays = moves[True], moves[False]
    await system.all_ready()
    for tool in (moved, stays):
        await system.deploy(tool, "def execute(): return 1")
    await system.run(execution(stays), execution(moved))
    await system.executions_recorded(moved, 1)
    topics = system.topics
    grown = (topics.executions, topics.deployments)
    await set_partitions(system.settings, AFTER, *grown, producer=system.producer)
    request = deployment(moved, "def execute(): return 2")
    new_place = partition_of(moved.encode(), AFTER)
    await system.send(topics.deployments, moved, request, partition=new_place)
    unhandled = [execution(moved, f"ValueError: {number}") for number in range(4)]
    for number, each in enumerate(unhandled):  # some producers do not know the new number yet
        place = partition_of(moved.encode(), BEFORE if number % 2 else AFTER)
        await system.send(topics.executions, moved, each, partition=place)
    await held(system, "partitions were added", "rollguard topics --grow", "add-partitions.md")
    await system.stop_all()
    for role in ROLES:
        assert "all topics must have the same number of partitions" in await refused(system, role)
    assert await all_records(system.settings, topics.dead_letters) == []

    now = {"ROLLGUARD_PARTITIONS": str(AFTER)}
    env = system.environment(**now)
    answer = await rollguard("topics", "--grow", "--republish", env=env)
    assert answer.code == 0, answer
    assert answer.out.count(f"{AFTER} partitions (before: {BEFORE})") == 8
    assert "published 2 versions" in answer.out
    for role in ROLES:
        await system.spawn(role, **now, ROLLGUARD_PARTITIONS_BEFORE=str(BEFORE))
    await system.all_ready()
    await system.executions_recorded(moved, 1 + len(unhandled))
    deployed = "select 1 from deployments where deployment_id = $1"

    async def applied() -> bool:
        return bool(await system.query(deployed, request.deployment_id))

    await until(applied)
    # The windows of the tool that stays are as they were; the other one's begin anew.
    await until(lambda: recent(system, stays, 1))
    await until(lambda: recent(system, moved, 0))
    for tool in (moved, stays):
        place = partition_of(tool.encode(), AFTER)
        bad = [execution(tool, f"TypeError: {number}") for number in range(2)]
        await system.send(topics.executions, tool, *bad, partition=place)

    async def commanded() -> bool:
        rows = await system.query("select tool_name from rollbacks where reason like 'signature%'")
        return {row["tool_name"] for row in rows} == {moved, stays}

    await until(commanded)
    assert await all_records(system.settings, topics.dead_letters) == []


async def recent(system: System, tool: str, count: int) -> bool:
    """Return whether the windows of a tool hold this number of executions."""
    status, body = await system.health(tool)
    return status == 200 and len(body["recent"]) == count


async def test_a_topic_that_was_created_anew(system: System) -> None:
    await system.all_ready()
    await system.deploy("parser", "def execute(): return 1")
    await system.run(*(execution("parser") for _ in range(20)))
    await system.executions_recorded("parser", 20)
    settings, topics = system.settings, system.topics
    await asyncio.sleep(2 * INTERVAL_S)  # so that the workers have seen where the topics end
    async with kafka_admin(settings) as admin:
        await admin.delete_topics([topics.executions, topics.deployments])
        await asyncio.sleep(1)
        for topic in (topics.executions, topics.deployments):
            await create_topic(admin, settings, topic)
    await system.send(topics.executions, "parser", execution("parser"))
    await held(system, "was deleted and created anew", "ROLLGUARD_TOPIC_PREFIX")
    assert await all_records(settings, topics.dead_letters) == []


async def test_settings_that_are_changed_and_mended(system: System) -> None:
    await system.all_ready()
    topic = system.topics.executions
    command = (
        f"kafka-configs.sh --bootstrap-server {system.settings.kafka_brokers[0]} --alter "
        f"--entity-type topics --entity-name {topic} --add-config "
    )
    await asyncio.to_thread(run_kafka_configs, command + "message.timestamp.type=CreateTime")
    await held(system, "message.timestamp.type is CreateTime", f"`{command}", "LogAppendTime`")
    stuck = (await system_status(system.settings)).stuck
    assert any("message.timestamp.type is CreateTime" in each for each in stuck)
    await asyncio.to_thread(run_kafka_configs, command + "message.timestamp.type=LogAppendTime")
    await system.all_ready()
    await system.deploy("parser", "def execute(): return 1")
    await system.run(execution("parser"))
    await system.executions_recorded("parser", 1)
    assert "topics_right_again" in system.log("detector")


@pytest.mark.parametrize(
    ("topic", "changed", "wrong"),
    [
        ("executions", {"message_timestamp_type": None}, "message.timestamp.type is CreateTime"),
        ("executions", {"cleanup_policy": "compact"}, "cleanup.policy is compact"),
        ("versions", {"cleanup_policy": None}, "cleanup.policy is delete"),
        ("changelog", {"cleanup_policy": "compact,delete"}, "cleanup.policy is compact,delete"),
        ("changelog", {"min_compaction_lag_ms": None}, "min.compaction.lag.ms is 0"),
        ("commands", {"max_message_bytes": None}, "max.message.bytes is 1048588"),
    ],
)
async def test_a_topic_with_wrong_settings_is_refused_at_the_start(
    apache_kafka: str,
    database_dsn: str,
    topic_prefix: str,
    tmp_path: Path,
    topic: str,
    changed: dict[str, str | None],
    wrong: str,
) -> None:
    settings = load_settings(
        kafka_brokers=apache_kafka, topic_prefix=topic_prefix, data_dir=tmp_path
    )
    name: str = getattr(Topics.of(settings), topic)
    async with kafka_admin(settings) as admin:
        await create_topic(admin, settings, name, **changed)
    env = {
        "ROLLGUARD_KAFKA_BROKERS": apache_kafka,
        "ROLLGUARD_TOPIC_PREFIX": topic_prefix,
    }
    said = await rollguard("topics", env=env)
    assert (said.code, said.err.count("\n")) == (1, 1)
    assert f"topic {name}: {wrong}" in said.err
    system = Workers(settings, tmp_path)
    system.ports["detector"] = free_port()
    for role in ROLES if topic == "executions" else ROLES[:1]:
        text = await refused(system, role, **env, ROLLGUARD_POSTGRES_DSN=database_dsn)
        assert f"topic {name}: {wrong}" in text
    if topic == "executions":
        await asyncio.to_thread(run_kafka_configs, said.err.split("`")[1])

        async def accepted() -> bool:
            return (await rollguard("topics", env=env)).code == 0

        await until(accepted)
