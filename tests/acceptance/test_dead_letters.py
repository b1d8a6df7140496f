"""The verbs for bad input: `dead-letters` lists and shows, `replay` publishes again once."""

import json
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from aiokafka.structs import RecordMetadata

from schemas.dead_letter import DeadLetter, encoded
from schemas.deployment import DeploymentOutcome
from schemas.message import Message
from schemas.rollback import RollbackCommand
from streams.partitions import partition_of
from tests.support.command_line import CommandResult, rollguard
from tests.support.messages import deployment, execution
from tests.support.system import System
from tests.support.waiting import until

TOOL = "数 parser"


@pytest.fixture
def kafka(embedded_broker: str) -> str:
    return embedded_broker


async def misplaced(system: System, topic: str, message: Message | bytes) -> str:
    """Publish a message to the wrong partition, and return the id of its dead letter."""
    value = message if isinstance(message, bytes) else message.to_bytes()
    home = partition_of(TOOL.encode(), system.settings.partitions)
    elsewhere = (home + 1) % system.settings.partitions
    sent: RecordMetadata = await system.producer.send_and_wait(
        topic, value, key=TOOL.encode(), partition=elsewhere
    )
    return f"{topic}:{sent.partition}:{sent.offset}"


async def listed(system: System, *words: str) -> list[dict[str, Any]]:
    result = await rollguard("dead-letters", "--json", *words, env=system.environment())
    assert result.code == 0, result.err
    found: list[dict[str, Any]] = json.loads(result.out)
    return found


async def dead_letters_exist(system: System, *ids: str) -> None:
    """Return when each of these ids is a dead letter."""

    async def there() -> bool:
        return {each["id"] for each in await listed(system, "--limit", "1000")} >= set(ids)

    await until(there)


async def replay(system: System, *words: str) -> CommandResult:
    return await rollguard("replay", *words, env=system.environment())


@pytest.mark.timeout(150)
async def test_list_and_show(system: System) -> None:
    topic, dead_letters = system.topics.executions, system.topics.dead_letters
    lost = await misplaced(system, topic, execution(TOOL, "TypeError: \x1b[31m"))
    await dead_letters_exist(system, lost)
    binary = await system.producer.send_and_wait(topic, b"\xff\x00{", key=b"\xfe\xff")
    binary_id = f"{topic}:{binary.partition}:{binary.offset}"
    await dead_letters_exist(system, lost, binary_id)
    [record] = [
        each
        for each in await system.records(dead_letters, 2)
        if DeadLetter.from_bytes(each.value).key == encoded(TOOL.encode(), 1024)
    ]
    for value in (record.value, b"{}", None, record.value.replace(b'"value":"', b'"value":"?')):
        await system.producer.send_and_wait(dead_letters, value, key=record.key)

    result = await rollguard("dead-letters", "--json", env=system.environment())
    assert result.err == "rollguard: 3 records are no dead letters\n"
    found = {each["id"]: each for each in json.loads(result.out)}
    assert found.keys() == {lost, binary_id}
    assert "murmur2" in found[lost]["error"]
    assert (found[lost]["times"], found[lost]["key"], found[lost]["role"]) == (2, TOOL, "detector")
    assert (found[binary_id]["times"], found[binary_id]["key"]) == (1, None)
    assert found[lost]["replayed_at"] is None

    selections: list[tuple[tuple[str, ...], list[str]]] = [
        (("--tool", TOOL), [lost]),
        (("--topic", topic, "--error", "Invalid JSON"), [binary_id]),
        (("--topic", "tool-executions", "--since", "1h", "--limit", "1"), [binary_id]),
        (("--topic", "tool-deployments"), []),
        (("--since", "0s"), []),
    ]
    for words, ids in selections:
        assert [each["id"] for each in await listed(system, *words)] == ids, words
    table = (await rollguard("dead-letters", env=system.environment())).out
    assert "2 of 2 bad records" in table
    assert "murmur2" in table
    assert lost in table

    whole = await rollguard("dead-letters", lost, "--json", env=system.environment())
    shown = json.loads(whole.out)
    assert json.loads(shown["value"])["error"] == "TypeError: \x1b[31m"
    assert b64decode(shown["key_base64"]) == TOOL.encode()
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


@pytest.mark.timeout(150)
async def test_executions_are_replayed_once_and_count(system: System) -> None:
    topic = system.topics.executions
    version = await system.deploy(TOOL, "one")
    failed = json.loads(execution(TOOL, "boom", version_id=version.version_id).to_bytes())
    large = json.dumps(failed | {"error": "x" * 1_100_000}).encode()
    lost = await misplaced(system, topic, large)
    there = execution(TOOL)
    twice = await misplaced(system, topic, there)
    await system.run(there)  # as if the engine had sent it again itself
    ahead = execution(TOOL, executed_at=datetime.now(UTC) + timedelta(hours=1))
    await system.run(ahead)
    await system.producer.send_and_wait(topic, b"{nonsense", key=TOOL.encode())
    await dead_letters_exist(system, lost, twice)
    await system.executions_recorded(TOOL, 1)

    result = await replay(system, lost)
    assert (result.code, result.err) == (0, ""), result
    await system.executions_recorded(TOOL, 2)
    [row] = await system.query("SELECT total_executions, success_rate FROM tool_versions")
    assert tuple(row) == (2, 0.5)
    again = await replay(system, lost)
    assert again.code == 1
    assert "was replayed at 20" in again.err
    assert again.out == "replayed 0 records\n"
    assert (await replay(system, lost, "--force")).code == 1
    [known] = [each for each in await listed(system) if each["id"] == lost]
    assert known["replayed_to"].startswith(f"{topic}:")
    assert known["truncated"]

    rest = await replay(system, "--all", "--json")
    assert rest.code == 1
    document = json.loads(rest.out)
    assert document["replayed"] == []
    reasons = {each["id"]: each["reason"] for each in document["refused"]}
    assert len(reasons) == 3
    assert "recorded already" in reasons.pop(twice)
    assert all(reason.startswith("would be rejected again: ") for reason in reasons.values())
    assert any("ahead of the record's" in reason for reason in reasons.values())

    # With --force it is published although the workers reject it: one more dead letter.
    forced = await replay(system, "--all", "--force", "--error", "Invalid JSON")
    assert (forced.code, "replayed 1 records" in forced.out) == (0, True)
    await until(lambda: _has(system, 2, "Invalid JSON"))
    [row] = await system.query("SELECT total_executions FROM tool_versions")
    assert row["total_executions"] == 2


async def _has(system: System, count: int, error: str) -> bool:
    return len(await listed(system, "--error", error)) == count


@pytest.mark.timeout(150)
async def test_deployments_and_commands(system: System) -> None:
    topics = system.topics
    request = deployment(TOOL, "def f(): ...")
    refused = await misplaced(system, topics.deployments, request)
    await dead_letters_exist(system, refused)
    result = await replay(system, refused, "--json")
    assert result.code == 0, result.err
    [replayed] = json.loads(result.out)["replayed"]
    assert replayed["deployment_id"] != str(request.deployment_id)

    async def created() -> bool:
        sql = "SELECT FROM tool_versions WHERE deployment_id = $1"
        return bool(await system.query(sql, replayed["deployment_id"]))

    await until(created)
    outcomes = [
        DeploymentOutcome.from_bytes(record.value)
        for record in await system.records(topics.deployment_outcomes, 2)
    ]
    assert {str(each.deployment_id): each.status for each in outcomes} == {
        str(request.deployment_id): "refused",
        replayed["deployment_id"]: "created",
    }

    late = await misplaced(system, topics.deployments, deployment(TOOL, "def late(): ..."))
    order = RollbackCommand(
        command_id=uuid4(),
        tool_name=TOOL,
        to_version_id=1,
        tier="manual",
        reason="manual",
        issued_by="someone",
        issued_at=datetime.now(UTC),
    )
    command = await misplaced(system, topics.commands, order)
    await dead_letters_exist(system, late, command)
    second = await system.deploy(TOOL, "def g(): ...")
    for each in (late, command):
        result = await replay(system, each)
        assert result.code == 1
        assert "overtaken: '数 parser' was changed at 20" in result.err
    assert (await replay(system, command, "--force")).code == 0

    async def rolled_back() -> bool:
        [row] = await system.query("SELECT version_id FROM tool_versions WHERE is_current")
        return bool(row["version_id"] != second.version_id)

    await until(rolled_back)
    assert (await replay(system, command, "--force")).code == 1
    count = await system.query("SELECT count(*) FROM tool_versions")
    assert count[0][0] == 2


@pytest.mark.timeout(150)
async def test_what_cannot_be_replayed(system: System) -> None:
    def dead_letter(**fields: Any) -> DeadLetter:
        given: dict[str, Any] = {
            "role": "detector",
            "topic": system.topics.executions,
            "partition": 0,
            "offset": 10_000,
            "key": encoded(TOOL.encode(), 1024),
            "value": encoded(execution(TOOL).to_bytes(), 1024),
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
        await system.send(system.topics.dead_letters, TOOL, each)
    env = {"ROLLGUARD_WAIT_S": "3"}
    result = await rollguard("replay", "--all", "--json", env=system.environment() | env)
    assert result.code == 1
    reasons = [each["reason"] for each in json.loads(result.out)["refused"]]
    assert len(reasons) == 5
    assert f"prefix '{system.settings.topic_prefix}'" in reasons[0]
    kept = len(execution(TOOL).to_bytes())
    assert f"cut to {kept} bytes" in reasons[1]
    assert "the first 1024 bytes are kept" in reasons[2]
    assert "no key" in reasons[3]
    assert reasons[4] == "nothing of it was kept: was not unpacked"
    assert json.loads(result.out)["unpublished"] == 70
    assert "70 more bad records between these have no dead letter" in result.err
    assert await system.query("SELECT FROM replayed_records") == []
    for words in ((), ("--all", "tool-executions:0:1"), ("x",)):
        assert (await rollguard("replay", *words, env=system.environment())).code == 2
