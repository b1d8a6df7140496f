"""The verbs for bad input: `dead-letters` lists and shows, `replay` publishes again once."""

import json
from base64 import b64decode
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from aiokafka.structs import RecordMetadata

from schemas.dead_letter import MAX_KEY_BYTES, MAX_VALUE_BYTES, DeadLetter, encoded
from schemas.deployment import DeploymentOutcome
from schemas.rollback import RollbackCommand
from streams.partitions import partition_of
from tests.support.inputs.messages import deployment, execution
from tests.support.systems.command_line import CommandResult, rollguard
from tests.support.systems.system import System
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(450)


@pytest.fixture
def tool(tool: str) -> str:
    """Return a tool of the test's own, with a name that is no ASCII."""
    return f"数 {tool}"


@pytest_asyncio.fixture
async def untouched(
    embedded_broker: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> AsyncIterator[System]:
    """Provide topics that no other test uses, and no worker: a test starts what it needs."""
    async with System.started(embedded_broker, database_dsn, topic_prefix, tmp_path, ()) as system:
        yield system


async def rejected(system: System, topic: str, tool: str, value: bytes) -> str:
    """Publish a dead letter of a good record, and return its id.

    Earlier releases wrote one for each record in another partition than that of its key.
    """
    is_whole, offset = len(value) <= MAX_VALUE_BYTES, 10_000 + int.from_bytes(uuid4().bytes[:4])
    home = partition_of(tool.encode(), system.settings.partitions)
    elsewhere = (home + 1) % system.settings.partitions
    if not is_whole:  # it is read again from its topic, where it has a key that nobody uses
        sent: RecordMetadata = await system.producer.send_and_wait(
            topic, value, key=b"nobody", partition=elsewhere
        )
        offset = sent.offset
        await dead_letters_exist(system, f"{topic}:{elsewhere}:{offset}")
    letter = DeadLetter(
        role="detector",
        topic=topic,
        partition=elsewhere,
        offset=offset,
        key=encoded(tool.encode(), MAX_KEY_BYTES),
        value=encoded(value, MAX_VALUE_BYTES),
        truncated=not is_whole,
        error="it lies in a wrong partition",
        rejected_at=datetime.now(UTC),
    )
    await system.send(system.topics.dead_letters, tool, letter)
    return f"{topic}:{elsewhere}:{offset}"


async def listed(system: System, *words: str) -> list[dict[str, Any]]:
    result = await rollguard("dead-letters", "--json", *words, env=system.environment())
    assert result.code == 0, result.err
    found: list[dict[str, Any]] = json.loads(result.out)
    return found


async def dead_letters_exist(system: System, *ids: str) -> None:
    """Return when each of these ids is a dead letter."""

    def is_one(value: bytes, record_id: str) -> bool:
        letter = DeadLetter.from_bytes(value)
        return f"{letter.topic}:{letter.partition}:{letter.offset}" == record_id

    for each in ids:
        await system.first(system.topics.dead_letters, partial(is_one, record_id=each))


async def replay(system: System, *words: str) -> CommandResult:
    return await rollguard("replay", *words, env=system.environment())


async def test_list_and_show(untouched: System, tool: str) -> None:
    system = untouched
    await system.spawn("detector")
    topic, dead_letters = system.topics.executions, system.topics.dead_letters
    bad = execution(tool, "TypeError: \x1b[31m", executed_at=datetime.now(UTC) + timedelta(hours=1))
    sent = await system.producer.send_and_wait(topic, bad.to_bytes(), key=tool.encode())
    lost = f"{topic}:{sent.partition}:{sent.offset}"
    await dead_letters_exist(system, lost)
    binary = await system.producer.send_and_wait(topic, b"\xff\x00{", key=b"\xfe\xff")
    binary_id = f"{topic}:{binary.partition}:{binary.offset}"
    await dead_letters_exist(system, lost, binary_id)
    [record] = [
        each
        for each in await system.records(dead_letters, 2)
        if DeadLetter.from_bytes(each.value).key == encoded(tool.encode(), 1024)
    ]
    for value in (record.value, b"{}", None, record.value.replace(b'"value":"', b'"value":"?')):
        await system.producer.send_and_wait(dead_letters, value, key=record.key)

    result = await rollguard("dead-letters", "--json", env=system.environment())
    assert result.err == "rollguard: 3 records are no dead letters\n"
    found = {each["id"]: each for each in json.loads(result.out)}
    assert found.keys() == {lost, binary_id}
    assert "ahead of the record's" in found[lost]["error"]
    assert (found[lost]["times"], found[lost]["key"], found[lost]["role"]) == (2, tool, "detector")
    assert (found[binary_id]["times"], found[binary_id]["key"]) == (1, None)
    assert found[lost]["replayed_at"] is None

    selections: list[tuple[tuple[str, ...], list[str]]] = [
        (("--tool", tool), [lost]),
        (("--topic", topic, "--error", "Invalid JSON"), [binary_id]),
        (("--topic", "tool-executions", "--since", "1h", "--limit", "1"), [binary_id]),
        (("--topic", "tool-deployments"), []),
        (("--since", "0s"), []),
    ]
    for words, ids in selections:
        assert [each["id"] for each in await listed(system, *words)] == ids, words
    table = (await rollguard("dead-letters", env=system.environment())).out
    assert "2 of 2 bad records" in table
    assert "ahead of the record's" in table
    assert lost in table

    whole = await rollguard("dead-letters", lost, "--json", env=system.environment())
    shown = json.loads(whole.out)
    assert json.loads(shown["value"])["error"] == "TypeError: \x1b[31m"
    assert b64decode(shown["key_base64"]) == tool.encode()
    for_a_person = (await rollguard("dead-letters", lost, env=system.environment())).out
    assert '"error":"TypeError: \\u001b[31m"' in for_a_person
    assert (
        "ff 00 7b (hex)"
        in (await rollguard("dead-letters", binary_id, env=system.environment())).out
    )
    wrong: list[tuple[tuple[str, ...], int]] = [
        (("nonsense",), 2),
        ((f"{topic}:-1:0",), 2),
        ((lost, "--tool", "x"), 2),
        ((f"{topic}:0:999",), 1),
    ]
    for words, code in wrong:
        assert (await rollguard("dead-letters", *words, env=system.environment())).code == code

    nowhere = {"ROLLGUARD_POSTGRES_DSN": f"postgresql:///x?host={system.folder}"}
    result = await rollguard("dead-letters", "--json", env=system.environment() | nowhere)
    assert (result.code, len(json.loads(result.out))) == (0, 2)
    assert "what was replayed is not known" in result.err


async def test_executions_are_replayed_once_and_count(shared_system: System, tool: str) -> None:
    system = shared_system
    topic = system.topics.executions
    version = await system.deploy(tool, "one")
    failed = json.loads(execution(tool, "boom", version_id=version.version_id).to_bytes())
    large = json.dumps(failed | {"error": "x" * 1_100_000}).encode()
    lost = await rejected(system, topic, tool, large)
    there = execution(tool)
    twice = await rejected(system, topic, tool, there.to_bytes())
    await system.run(there)  # as if the engine had sent it again itself
    ahead = execution(tool, executed_at=datetime.now(UTC) + timedelta(hours=1))
    await system.run(ahead)
    await system.producer.send_and_wait(topic, b"{nonsense", key=tool.encode())
    await system.records(system.topics.dead_letters, 4, tool)  # two of them by the detector
    await system.executions_recorded(tool, 1)

    result = await replay(system, lost)
    assert (result.code, result.err) == (0, ""), result
    await system.executions_recorded(tool, 2)
    counted = "SELECT total_executions, success_rate FROM tool_versions WHERE tool_name = $1"
    [row] = await system.query(counted, tool)
    assert tuple(row) == (2, 0.5)
    again = await replay(system, lost)
    assert again.code == 1
    assert "was replayed at 20" in again.err
    assert again.out == "replayed 0 records\n"
    assert (await replay(system, lost, "--force")).code == 1
    [known] = [each for each in await listed(system) if each["id"] == lost]
    assert known["replayed_to"].startswith(f"{topic}:")
    assert known["truncated"]

    rest = await replay(system, "--all", "--tool", tool, "--json")
    assert rest.code == 1
    document = json.loads(rest.out)
    assert document["replayed"] == []
    reasons = {each["id"]: each["reason"] for each in document["refused"]}
    assert len(reasons) == 3
    assert "recorded already" in reasons.pop(twice)
    assert all(reason.startswith("would be rejected again: ") for reason in reasons.values())
    assert any("ahead of the record's" in reason for reason in reasons.values())

    # With --force it is published although the workers reject it: one more dead letter.
    forced = await replay(system, "--all", "--tool", tool, "--force", "--error", "Invalid JSON")
    assert (forced.code, "replayed 1 records" in forced.out) == (0, True)

    async def rejected_again() -> bool:
        return len(await listed(system, "--tool", tool, "--error", "Invalid JSON")) == 2

    await until(rejected_again)
    [row] = await system.query(counted, tool)
    assert row["total_executions"] == 2


async def test_deployments_and_commands(shared_system: System, tool: str) -> None:
    system = shared_system
    topics = system.topics
    request = deployment(tool, "def f(): ...")
    refused = await rejected(system, topics.deployments, tool, request.to_bytes())
    result = await replay(system, refused, "--json")
    assert result.code == 0, result.err
    [replayed] = json.loads(result.out)["replayed"]
    assert replayed["deployment_id"] != str(request.deployment_id)

    sql = "SELECT version_id FROM tool_versions WHERE deployment_id = $1"

    async def created() -> bool:
        return bool(await system.query(sql, replayed["deployment_id"]))

    await until(created)
    [first] = await system.query(sql, replayed["deployment_id"])
    outcomes = [
        DeploymentOutcome.from_bytes(record.value)
        for record in await system.records(topics.deployment_outcomes, 1, tool)
    ]
    assert {str(each.deployment_id): each.status for each in outcomes} == {
        replayed["deployment_id"]: "created",
    }

    too_late = deployment(tool, "def late(): ...").to_bytes()
    late = await rejected(system, topics.deployments, tool, too_late)
    order = RollbackCommand(
        command_id=uuid4(),
        tool_name=tool,
        to_version_id=first["version_id"],
        tier="manual",
        reason="manual",
        issued_by="someone",
        issued_at=datetime.now(UTC),
    )
    command = await rejected(system, topics.commands, tool, order.to_bytes())
    second = await system.deploy(tool, "def g(): ...")
    for each in (late, command):
        result = await replay(system, each)
        assert result.code == 1
        assert f"overtaken: {tool!r} was changed at 20" in result.err
    assert (await replay(system, command, "--force")).code == 0

    async def rolled_back() -> bool:
        sql = "SELECT version_id FROM tool_versions WHERE tool_name = $1 AND is_current"
        [row] = await system.query(sql, tool)
        return bool(row["version_id"] != second.version_id)

    await until(rolled_back)
    assert (await replay(system, command, "--force")).code == 1
    count = await system.query("SELECT count(*) FROM tool_versions WHERE tool_name = $1", tool)
    assert count[0][0] == 2


async def test_what_cannot_be_replayed(untouched: System, tool: str) -> None:
    system = untouched

    def dead_letter(**fields: Any) -> DeadLetter:
        given: dict[str, Any] = {
            "role": "detector",
            "topic": system.topics.executions,
            "partition": 0,
            "offset": 10_000,
            "key": encoded(tool.encode(), 1024),
            "value": encoded(execution(tool).to_bytes(), 1024),
            "error": "a cause",
            "rejected_at": datetime.now(UTC),
        }
        return DeadLetter(**(given | fields))

    foreign = dead_letter(topic="tool-executions", offset=1)
    gone = dead_letter(offset=2, truncated=True)
    cut_key = dead_letter(offset=3, key=encoded(b"k" * 2000, 1024))
    no_key = dead_letter(offset=4, key=None)
    not_unpacked = dead_letter(
        offset=5, key=None, value=None, truncated=True, error="was not unpacked", unpublished=70
    )
    for each in (foreign, gone, cut_key, no_key, not_unpacked):
        await system.send(system.topics.dead_letters, tool, each)
    env = {"ROLLGUARD_WAIT_S": "3"}
    result = await rollguard("replay", "--all", "--json", env=system.environment() | env)
    assert result.code == 1
    reasons = [each["reason"] for each in json.loads(result.out)["refused"]]
    assert len(reasons) == 5
    assert f"prefix '{system.settings.topic_prefix}'" in reasons[0]
    kept = len(execution(tool).to_bytes())
    assert f"cut to {kept} bytes" in reasons[1]
    assert "the first 1024 bytes are kept" in reasons[2]
    assert "no key" in reasons[3]
    assert reasons[4] == "nothing of it was kept: was not unpacked"
    assert json.loads(result.out)["unpublished"] == 70
    assert "70 more bad records between these have no dead letter" in result.err
    assert await system.query("SELECT FROM replayed_records") == []
    for words in ((), ("--all", "tool-executions:0:1"), ("x",)):
        assert (await rollguard("replay", *words, env=system.environment())).code == 2
