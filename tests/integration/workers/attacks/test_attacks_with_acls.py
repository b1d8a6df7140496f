"""An engine with the rights that `docs/security.md` grants attacks workers that require signatures.

The broker is an Apache Kafka with TLS, SCRAM users and ACLs. One system stands all attacks: each
test attacks tools of its own.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import GroupAuthorizationFailedError, TopicAuthorizationFailedError
from aiokafka.structs import ConsumerRecord

from rollguard.client import EngineClient
from rollguard.registry import ToolRegistry
from rollguard_client.kafka.access import kafka_options
from rollguard_client.signatures.header import HEADER, SignatureHeader, bytes_of
from schemas.dead_letter import DeadLetter, encoded
from schemas.deployment import Deployment, DeploymentOutcome, ToolVersion
from schemas.rollback import automatic_command_id
from schemas.settings import Settings
from streams.partitions import partition_of
from streams.topics import group_of
from tests.support.inputs.bombs import MIB, bomb, send_batch
from tests.support.inputs.hostile import HOSTILE
from tests.support.inputs.messages import activation, command_by_ann, deployment, execution
from tests.support.inputs.signing import settings_of
from tests.support.inputs.slow_code import INHERITANCE
from tests.support.systems.command_line import rollguard
from tests.support.systems.restricted import Attacker, RestrictedSystem
from tests.support.waiting import until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(720)]

TOOL: Final = "parser"
RULES: Final = {TOOL: {"policy": "seed"}}
"""The system has the policy `guarded`, with this exception."""
GREATEST: Final = 2**31 - 1


def of_tools(*tools: str) -> Any:
    """Return whether a dead letter is one of these tools, by its key."""
    keys = {encoded(tool.encode(), 1024) for tool in tools}
    return lambda letter: letter.key in keys


class Text:
    """A loader for which the tool is the code."""

    async def load(self, version: ToolVersion) -> str:
        return version.code

    async def unload(self, tool: str) -> None:
        return


@asynccontextmanager
async def reading(settings: Settings, topic: str) -> AsyncIterator[AIOKafkaConsumer]:
    """Yield a consumer with these rights, without a group, at the beginning of a topic."""
    consumer = AIOKafkaConsumer(**kafka_options(settings), enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, each) for each in range(settings.partitions)])
        await consumer.seek_to_beginning()
        yield consumer
    finally:
        await consumer.stop()


async def test_an_engine_can_neither_blind_nor_stop_nor_order_nor_take_an_id(
    restricted: RestrictedSystem, attacker: Attacker
) -> None:
    system, topics = restricted, restricted.topics
    async with EngineClient(system.ann) as client:
        first = await client.deploy(TOOL, "def execute(x): pass")
        broken = await client.deploy(TOOL, "def execute(): pass")
        assert first.version_id is not None
        assert broken.version_id is not None
        public = automatic_command_id(TOOL, broken.version_id, broken.activation or 0, 1)
        wanted = uuid4()
        forged = [
            (topics.executions, activation(TOOL, first.version_id, GREATEST)),
            (topics.commands, command_by_ann(TOOL, command_id=public, to_version_id=99)),
            (topics.commands, command_by_ann(TOOL, to_version_id=first.version_id)),
            (
                topics.commands,
                command_by_ann(
                    TOOL, command_id=public, tier="fast", reason="regression", approved_by="ann"
                ),
            ),
            (topics.deployments, deployment(TOOL, "evil = 1", deployment_id=wanted)),
        ]
        for topic, message in forged:
            await attacker.send(topic, message, TOOL)
        letters = await system.dead_letters(len(forged), of_tools(TOOL))
        assert all("no signature" in letter.error for letter in letters), letters
        assert await system.query("SELECT FROM rollbacks WHERE tool_name = $1", TOOL) == []
        deployed = "SELECT FROM deployments WHERE tool_name = $1"
        assert len(await system.query(deployed, TOOL)) == 2
        with pytest.raises(TopicAuthorizationFailedError):
            await attacker.send(topics.versions, activation(TOOL, 1, 1), TOOL)

        failures = [execution(TOOL, "TypeError: x") for _ in range(2)]
        for each in failures:  # another tool has executed them first
            await attacker.send(
                topics.executions, execution("evil", execution_id=each.execution_id), "evil"
            )
        await system.executions_recorded("evil", 2)
        async with ToolRegistry(settings_of(system.engine, system.folder), Text()) as registry:
            for each in failures:
                await client.publish_execution(each)
            back = await registry.wait_for(TOOL, lambda each: each.version.activation == 3, 120)
            assert back.version.version_id == first.version_id
        [row] = await system.query(
            "SELECT command_id, status, issued_by FROM rollbacks WHERE tool_name = $1", TOOL
        )
        assert tuple(row) == (public, "applied", "detector")
        third = await client.deploy(TOOL, "good = 1", deployment_id=wanted)
        assert (third.status, third.activation) == ("created", 4)
    await system.executions_recorded(TOOL, 2)

    async def counted() -> bool:
        sql = "SELECT total_executions FROM tool_versions WHERE version_id = $1"
        return bool((await system.query(sql, broken.version_id))[0][0] == 2)

    await until(counted)
    assert [worker.returncode for worker in system.running] == [None, None, None]


async def test_an_engine_may_not_join_the_group_of_the_detectors(
    restricted: RestrictedSystem,
) -> None:
    consumer = AIOKafkaConsumer(
        restricted.topics.versions,
        **kafka_options(restricted.engine),
        group_id=group_of(restricted.settings, "detector"),
    )
    try:
        with pytest.raises(GroupAuthorizationFailedError):
            await consumer.start()
    finally:
        await consumer.stop()


async def test_what_an_author_has_signed_is_read_and_sent_again_under_another_key(
    restricted: RestrictedSystem, attacker: Attacker
) -> None:
    """An engine reads `tool-versions`, which has the author's signature of the deployment."""
    system, topics = restricted, restricted.topics
    async with EngineClient(system.ann) as client:
        done = await client.deploy("signed", "x = 1")
    seen = await _first_version(system, "signed")
    again, header = _deployment_made_of(seen)
    await attacker.send(topics.deployments, again, "evil", header)
    [letter] = await system.dead_letters(
        1, lambda each: each.value == encoded(again.to_bytes(), MIB)
    )
    assert "is not its tool_name" in letter.error
    await attacker.send(topics.deployments, again, "signed", header)

    async def outcomes() -> list[DeploymentOutcome]:
        async with reading(system.engine, topics.deployment_outcomes) as consumer:
            found = [
                each
                for some in (await consumer.getmany(timeout_ms=1_000)).values()
                for each in some
            ]
        all_of_them = (DeploymentOutcome.from_bytes(each.value) for each in found)
        return [each for each in all_of_them if each.deployment_id == again.deployment_id]

    async def is_answered_again() -> bool:
        return len(await outcomes()) == 2

    await until(is_answered_again)
    assert await outcomes() == [done, done]
    assert (await system.version_of("signed"))["version_number"] == 1


async def _first_version(system: RestrictedSystem, tool: str) -> ConsumerRecord:
    """Return the record of a tool's version, read with the rights of an engine."""
    async with reading(system.engine, system.topics.versions) as consumer, asyncio.timeout(120):
        async for record in consumer:
            if record.key == tool.encode():
                return record
    raise AssertionError("unreachable")


def _deployment_made_of(record: ConsumerRecord) -> tuple[Deployment, list[tuple[str, bytes]]]:
    """Return the deployment of a version, and the header with its author's signature."""
    version = ToolVersion.from_bytes(record.value)
    authorship = SignatureHeader.among(record.headers).authorship
    assert authorship is not None
    said = json.loads(bytes_of(authorship.payload))
    again = Deployment(
        deployment_id=UUID(said["deployment_id"]),
        tool_name=version.tool_name,
        code=version.code,
        created_by=version.created_by,
        improvement_type=version.improvement_type,
        deployed_at=said["deployed_at"],
    )
    header = SignatureHeader(keyid=authorship.keyid, sig=authorship.sig)
    return again, [(HEADER, header.to_bytes())]


async def test_bombs_and_a_flood_keep_nobody_from_working(
    restricted: RestrictedSystem, attacker: Attacker
) -> None:
    system, topics, tool = restricted, restricted.topics, "words"
    partition = partition_of(tool.encode(), system.settings.partitions)
    made = bomb("gzip", 64 * MIB)
    for topic in (topics.executions, topics.deployments, topics.commands):
        await send_batch(attacker.producer, topic, partition, made)

    def is_of_a_bomb(letter: DeadLetter) -> bool:
        return letter.truncated and "was not unpacked" in letter.error

    flood, batches = bomb("gzip", 4 * MIB), 25
    flooded = partition_of(b"flood-1", system.settings.partitions)
    assert flooded != partition, "the flood uses up the allowance of a partition"
    for _ in range(batches):
        await send_batch(attacker.producer, topics.commands, flooded, flood)
    letters = await system.dead_letters(3, is_of_a_bomb)
    assert {each.topic for each in letters} == {
        topics.executions,
        topics.deployments,
        topics.commands,
    }
    async with EngineClient(system.ann) as client:
        assert (await client.deploy(tool, "x = 1")).status == "created"
        await client.publish_execution(execution(tool))
    await system.executions_recorded(tool, 1)

    async def is_counted() -> bool:
        lines = [
            each
            for each in (await system.metrics("applier")).splitlines()
            if "bad_records_total{" in each and topics.commands in each
        ]
        return sum(float(each.rpartition(" ")[2]) for each in lines) >= 4 * batches + 1

    await until(is_counted)
    kept = await system.dead_letters(
        1, lambda each: (each.topic, each.partition) == (topics.commands, flooded)
    )
    assert sum(len(each.to_bytes()) for each in kept) < 6 * MIB
    assert len(kept) < 4 * batches


async def test_invented_tools_make_no_outage_and_leave_nothing(
    restricted: RestrictedSystem, attacker: Attacker
) -> None:
    system, topics, victim = restricted, restricted.topics, "victim"
    invented = [f"nobody-{number}" for number in range(400)]
    async with EngineClient(system.ann) as client:
        good = await client.deploy(victim, "x = 1")
        for _ in range(30):
            await client.publish_execution(execution(victim, session_id=str(uuid4())))
        await client.deploy(victim, "x = 2")
        activations = [
            attacker.send(topics.executions, activation(each, 1, 1), each) for each in invented[:50]
        ]
        failures = [
            attacker.send(topics.executions, execution(each, "OSError: x"), each)
            for each in invented
        ]
        await asyncio.gather(*activations, *failures)
        for _ in range(20):
            failed = execution(victim, "OSError: x", session_id=str(uuid4()))
            await client.publish_execution(failed)
    assert good.version_id is not None
    await system.rolled_back_to(victim, good.version_id)
    assert "rollguard_outages_total 0.0" in await system.metrics("detector")
    letters = await system.dead_letters(50, of_tools(*invented))
    assert all("no signature" in each.error for each in letters)
    assert (await system.health("nobody-1"))[0] == 404
    async with system.reader(topics.changelog) as consumer:
        found = [
            each for some in (await consumer.getmany(timeout_ms=1_000)).values() for each in some
        ]
    assert victim.encode() in {each.key for each in found}
    assert not {each.key.decode() for each in found} & set(invented)


async def test_hostile_texts_and_large_details_reach_neither_the_log_nor_a_terminal(
    restricted: RestrictedSystem, attacker: Attacker
) -> None:
    system, topics = restricted, restricted.topics
    characters = sorted(HOSTILE - {"\0", "\ud800"})
    names = [f"hostile{each}[35m" for each in characters]
    await asyncio.gather(
        *(attacker.send(topics.executions, execution(each, each), each) for each in names)
    )
    by = json.loads(command_by_ann(names[0]).to_bytes())
    lines = [by | {"issued_by": f"ann{each}root", "tier": each} for each in characters]
    large = [by | {"details": {"executions": "x" * 3_900_000}} for _ in range(3)]
    before = len(system.log("applier"))
    values = [json.dumps(each).encode() for each in (*lines, *large)]
    await asyncio.gather(*(attacker.send(topics.commands, each, names[0]) for each in values))
    letters = await system.dead_letters(len(lines) + len(large), of_tools(names[0]))
    assert sum("details" in each.error for each in letters) == len(large)
    assert await system.query("SELECT FROM rollbacks WHERE tool_name = $1", names[0]) == []
    for name in (names[0], names[-1]):
        await system.executions_recorded(name, 1)
    log = system.log("applier")[before:]
    assert len(log) < 64 * 1024
    assert max(map(len, log.splitlines())) < 2 * 1024
    shown = await rollguard("dead-letters", env=system.environment(), cwd=system.folder)
    assert shown.code == 0, shown
    assert "tier" in shown.out
    assert not (HOSTILE - {"\n", "\t"}) & set(shown.out)


async def test_code_that_nobody_signed_is_not_compared_and_a_reader_locks_nothing(
    restricted: RestrictedSystem, attacker: Attacker
) -> None:
    """The attacker may read Postgres, too, and leaves a transaction open there."""
    system, topics, tool = restricted, restricted.topics, "locked"
    async with EngineClient(system.ann) as client:
        await client.deploy(tool, "x = 1")
        reader = await asyncpg.connect(system.dsns["reader"])
        async with reader.transaction():
            await reader.fetch("SELECT * FROM tool_versions, tool_locks")
            for number in range(20):
                slow = deployment(tool, f"{INHERITANCE}X = {number}\n")
                await attacker.send(topics.deployments, slow, tool)
            assert (await client.deploy(tool, "x = 2")).version_number == 2
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await reader.execute("SELECT FROM tool_locks FOR UPDATE")
        await reader.close()
    assert len(await system.dead_letters(20, of_tools(tool))) == 20
