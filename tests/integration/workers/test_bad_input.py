"""A bad message becomes a dead letter with the reason; the good messages after it count."""

import json
from base64 import b64decode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from schemas.dead_letter import DeadLetter
from streams.partitions import partition_of
from tests.support.messages import activation, deployment, execution
from tests.support.system import System

TOOL = "parser"


def changed(**fields: Any) -> bytes:
    """Return a good execution as JSON, with some fields changed and not checked by any model."""
    good = json.loads(execution(TOOL).to_bytes())
    return json.dumps(good | fields).encode()


def without(field: str) -> bytes:
    good = json.loads(execution(TOOL).to_bytes())
    del good[field]
    return json.dumps(good).encode()


FAR_AHEAD = (datetime.now(UTC) + timedelta(days=2)).isoformat()

BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "no JSON": (lambda: b"{nonsense", "Invalid JSON"),
    "no UTF-8": (lambda: b'{"tool_name": "\xff"}', "Invalid JSON"),
    "another shape": (lambda: b"[1, 2]", "object"),
    "a field is missing": (lambda: without("execution_id"), "execution_id: Field required"),
    "a number in a string": (lambda: changed(success="true"), "success:"),
    "no offset": (lambda: changed(executed_at="2026-01-01T00:00:00"), "executed_at:"),
    "year 1969": (lambda: changed(executed_at="1969-12-31T23:59:59Z"), "1970 to 9999"),
    "a clock far ahead": (lambda: changed(executed_at=FAR_AHEAD), "ahead of the record's"),
    "not a UUID": (lambda: changed(execution_id="7"), "execution_id:"),
    "version 0": (lambda: changed(version_id=0), "version_id:"),
    "version 2**31": (lambda: changed(version_id=2**31), "version_id:"),
    "NUL in the name": (lambda: changed(tool_name="a\0b"), "NUL"),
    "another tool's key": (lambda: changed(tool_name="other"), "is not its tool_name"),
    "an unknown kind": (lambda: changed(kind="remark"), "kind:"),
    "not a number": (lambda: changed(duration_ms=float("nan")), "duration_ms:"),
}


@pytest.mark.timeout(120)
async def test_bad_executions_are_dead_letters_and_good_ones_count(detector: System) -> None:
    topic = detector.topics.executions
    await detector.send(topic, TOOL, activation(TOOL, 1, 1))
    home = partition_of(TOOL.encode(), detector.settings.partitions)
    for make, _ in BAD.values():
        await detector.send(topic, TOOL, make())
    await detector.producer.send_and_wait(topic, execution(TOOL).to_bytes(), partition=home)
    await detector.producer.send_and_wait(topic, None, key=TOOL.encode())
    elsewhere = (home + 1) % detector.settings.partitions
    await detector.send(topic, TOOL, execution(TOOL), partition=elsewhere)
    await detector.run(*(execution(TOOL, "boom") for _ in range(3)))

    assert len(await detector.records(detector.topics.commands, 1)) == 1
    records = await detector.records(detector.topics.dead_letters, len(BAD) + 3)
    dead_letters = [DeadLetter.from_bytes(record.value) for record in records]
    wrong = {
        dead_letter.offset: dead_letter
        for dead_letter in dead_letters
        if dead_letter.partition == home
    }
    for offset, (name, (_, reason)) in enumerate(BAD.items(), 1):
        assert reason in wrong[offset].error, name
        assert (wrong[offset].role, wrong[offset].topic) == ("detector", topic)
    assert "no key" in wrong[len(BAD) + 1].error
    assert "no value" in wrong[len(BAD) + 2].error
    [lost] = [dead_letter for dead_letter in dead_letters if dead_letter.partition == elsewhere]
    assert "murmur2" in lost.error
    assert b64decode(wrong[1].value or "") == b"{nonsense"


async def test_a_strange_message_does_not_hide_a_failure(detector: System) -> None:
    await detector.send(detector.topics.executions, TOOL, activation(TOOL, 1, 1))
    strange = ["\0" * 10, "x" * 100_000, "lone \ud800 surrogate"]
    for error in strange:
        await detector.send(detector.topics.executions, TOOL, changed(success=False, error=error))
    [command] = await detector.records(detector.topics.commands, 1)
    assert json.loads(command.value)["details"]["failures"] == 3


@pytest.mark.timeout(120)
async def test_bad_deployments_are_refused(system: System) -> None:
    topic = system.topics.deployments
    too_large = deployment(TOOL, "x" * 2_000_000)
    nul = json.loads(deployment(TOOL, "a").to_bytes()) | {"code": "a\0b"}
    unreadable = b"{"
    ahead = deployment(TOOL, "a", deployed_at=datetime.now(UTC) + timedelta(hours=1))
    await system.send(topic, TOOL, too_large, json.dumps(nul).encode(), unreadable, ahead)
    good = await system.deploy(TOOL, "good")
    assert (good.status, good.version_number) == ("created", 1)
    records = await system.records(system.topics.deployment_outcomes, 4)
    outcomes = [json.loads(record.value) for record in records]
    assert [outcome["status"] for outcome in outcomes] == ["refused"] * 3 + ["created"]
    assert "at most 524288" in outcomes[0]["refusal"]
    assert "NUL" in outcomes[1]["refusal"]
    dead_letters = [
        DeadLetter.from_bytes(record.value)
        for record in await system.records(system.topics.dead_letters, 4)
    ]
    assert {dead_letter.role for dead_letter in dead_letters} == {"applier"}
    assert [dead_letter.truncated for dead_letter in dead_letters] == [True, False, False, False]


async def test_a_bad_command_is_a_dead_letter(system: System) -> None:
    await system.deploy(TOOL, "a")
    await system.send(system.topics.commands, TOOL, b'{"command_id": "7"}')
    [record] = await system.records(system.topics.dead_letters, 1)
    assert "command_id" in DeadLetter.from_bytes(record.value).error
    assert (await system.deploy(TOOL, "b")).version_number == 2


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_compressed_batches_are_read(detector: System, codec: str) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=list(detector.settings.kafka_brokers), compression_type=codec
    )
    await producer.start()
    entries = [activation(TOOL, 1, 1), *(execution(TOOL, "boom") for _ in range(3))]
    for entry in entries:
        await producer.send_and_wait(
            detector.topics.executions, entry.to_bytes(), key=TOOL.encode()
        )
    await producer.stop()
    assert len(await detector.records(detector.topics.commands, 1)) == 1


@pytest.mark.timeout(120)
async def test_messages_that_are_too_large_to_publish_again_stop_no_worker(system: System) -> None:
    executions, deployments = system.topics.executions, system.topics.deployments
    await system.deploy(TOOL, "a")
    await system.deploy(TOOL, "b")
    await system.send(executions, TOOL, changed(kind="x" * 3_600_000))
    await system.producer.send_and_wait(executions, b"x" * 1_200_000, key=b"k" * 2_800_000)
    await system.producer.send_and_wait(
        deployments, deployment(TOOL, "c").to_bytes(), key=b"\xff" * 1_450_000
    )
    long = json.loads(deployment(TOOL, "d").to_bytes()) | {"improvement_reason": "y" * 100_000}
    await system.send(deployments, TOOL, json.dumps(long).encode())
    assert len(await system.records(system.topics.dead_letters, 4)) == 4
    await system.run(*(execution(TOOL, "boom") for _ in range(3)))
    assert len(await system.records(system.topics.outcomes, 1)) == 1
