"""A bad message becomes a dead letter with the reason; the good messages after it count."""

import asyncio
import json
from base64 import b64decode
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from schemas.dead_letter import DeadLetter
from streams.partitions import partition_of
from tests.support.inputs.messages import activation, deployment, execution
from tests.support.systems.system import System
from tests.support.waiting import WAIT_S

Position = tuple[str, int, int]
"""The topic, the partition and the offset of a record."""


@pytest.fixture
def system(shared_on_each: System) -> System:
    return shared_on_each


@pytest.fixture
def detector(shared_detector: System) -> System:
    return shared_detector


def changed(tool: str, **fields: Any) -> bytes:
    """Return a good execution as JSON, with some fields changed and not checked by any model."""
    good = json.loads(execution(tool).to_bytes())
    return json.dumps(good | fields).encode()


def without(tool: str, field: str) -> bytes:
    good = json.loads(execution(tool).to_bytes())
    del good[field]
    return json.dumps(good).encode()


async def publish(
    system: System,
    topic: str,
    key: str | bytes | None,
    value: bytes | None,
    partition: int | None = None,
) -> Position:
    """Publish a record, and return where it is."""
    key = key.encode() if isinstance(key, str) else key
    sent = await system.producer.send_and_wait(topic, value, key=key, partition=partition)
    return sent.topic, sent.partition, sent.offset


async def dead_letters(system: System, positions: Sequence[Position]) -> list[DeadLetter]:
    """Return the dead letters of the records at these positions, in this order; wait for them."""
    found: dict[Position, DeadLetter] = {}
    async with system.reader(system.topics.dead_letters) as reader, asyncio.timeout(WAIT_S):
        while not found.keys() >= set(positions):
            letter = DeadLetter.from_bytes((await reader.getone()).value)
            found[letter.topic, letter.partition, letter.offset] = letter
    return [found[each] for each in positions]


FAR_AHEAD = (datetime.now(UTC) + timedelta(days=2)).isoformat()

BAD: dict[str, tuple[Callable[[str], bytes], str]] = {
    "no JSON": (lambda _: b"{nonsense", "Invalid JSON"),
    "no UTF-8": (lambda _: b'{"tool_name": "\xff"}', "Invalid JSON"),
    "another shape": (lambda _: b"[1, 2]", "object"),
    "a field is missing": (
        lambda tool: without(tool, "execution_id"),
        "execution_id: Field required",
    ),
    "a number in a string": (lambda tool: changed(tool, success="true"), "success:"),
    "no offset": (lambda tool: changed(tool, executed_at="2026-01-01T00:00:00"), "executed_at:"),
    "year 1969": (lambda tool: changed(tool, executed_at="1969-12-31T23:59:59Z"), "1970 to 9999"),
    "a clock far ahead": (
        lambda tool: changed(tool, executed_at=FAR_AHEAD),
        "ahead of the record's",
    ),
    "not a UUID": (lambda tool: changed(tool, execution_id="7"), "execution_id:"),
    "version 0": (lambda tool: changed(tool, version_id=0), "version_id:"),
    "version 2**31": (lambda tool: changed(tool, version_id=2**31), "version_id:"),
    "NUL in the name": (lambda tool: changed(tool, tool_name="a\0b"), "NUL"),
    "another tool's key": (lambda tool: changed(tool, tool_name="other"), "is not its tool_name"),
    "an unknown kind": (lambda tool: changed(tool, kind="remark"), "kind:"),
    "not a number": (lambda tool: changed(tool, duration_ms=float("nan")), "duration_ms:"),
}


@pytest.mark.timeout(360)
async def test_bad_executions_are_dead_letters_and_good_ones_count(
    detector: System, tool: str
) -> None:
    topic = detector.topics.executions
    await detector.send(topic, tool, activation(tool, 1, 1))
    home = partition_of(tool.encode(), detector.settings.partitions)
    bad = [await publish(detector, topic, tool, make(tool)) for make, _ in BAD.values()]
    no_key = await publish(detector, topic, None, execution(tool).to_bytes(), home)
    no_value = await publish(detector, topic, tool, None)
    elsewhere = (home + 1) % detector.settings.partitions
    lost = await publish(detector, topic, tool, activation(tool, 2, 2).to_bytes(), elsewhere)
    await detector.run(*(execution(tool, "boom") for _ in range(3)))

    [command] = await detector.records(detector.topics.commands, 1, tool)
    assert json.loads(command.value)["details"]["failures"] == 3
    letters = await dead_letters(detector, [*bad, no_key, no_value, lost])
    for letter, (name, (_, reason)) in zip(letters, BAD.items(), strict=False):
        assert reason in letter.error, name
        assert (letter.role, letter.partition) == ("detector", home)
    assert "no key" in letters[-3].error
    assert "no value" in letters[-2].error
    assert "an activation is in no other" in letters[-1].error
    assert b64decode(letters[0].value or "") == b"{nonsense"


async def test_a_strange_message_does_not_hide_a_failure(detector: System, tool: str) -> None:
    topic = detector.topics.executions
    await detector.send(topic, tool, activation(tool, 1, 1))
    for error in ("\0" * 10, "x" * 100_000, "lone \ud800 surrogate"):
        await detector.send(topic, tool, changed(tool, success=False, error=error))
    [command] = await detector.records(detector.topics.commands, 1, tool)
    assert json.loads(command.value)["details"]["failures"] == 3


@pytest.mark.timeout(360)
async def test_bad_deployments_are_refused(system: System, tool: str) -> None:
    topic = system.topics.deployments
    too_large = deployment(tool, "x" * 2_000_000).to_bytes()
    nul = json.loads(deployment(tool, "a").to_bytes()) | {"code": "a\0b"}
    ahead = deployment(tool, "a", deployed_at=datetime.now(UTC) + timedelta(hours=1)).to_bytes()
    bad = [
        await publish(system, topic, tool, value)
        for value in (too_large, json.dumps(nul).encode(), b"{", ahead)
    ]
    good = await system.deploy(tool, "good")
    assert (good.status, good.version_number) == ("created", 1)
    records = await system.records(system.topics.deployment_outcomes, 4, tool)
    outcomes = [json.loads(record.value) for record in records]
    assert [outcome["status"] for outcome in outcomes] == ["refused"] * 3 + ["created"]
    assert "at most 524288" in outcomes[0]["refusal"]
    assert "NUL" in outcomes[1]["refusal"]
    letters = await dead_letters(system, bad)
    assert {letter.role for letter in letters} == {"applier"}
    assert [letter.truncated for letter in letters] == [True, False, False, False]


async def test_a_bad_command_is_a_dead_letter(system: System, tool: str) -> None:
    await system.deploy(tool, "a")
    bad = await publish(system, system.topics.commands, tool, b'{"command_id": "7"}')
    [letter] = await dead_letters(system, [bad])
    assert "command_id" in letter.error
    assert (await system.deploy(tool, "b")).version_number == 2


async def test_compressed_batches_are_read(detector: System, tool: str) -> None:
    for codec in ("gzip", "snappy", "lz4", "zstd"):
        of_codec = f"{tool}-{codec}"
        producer = AIOKafkaProducer(
            bootstrap_servers=list(detector.settings.kafka_brokers), compression_type=codec
        )
        await producer.start()
        entries = [activation(of_codec, 1, 1), *(execution(of_codec, "boom") for _ in range(3))]
        for entry in entries:
            await producer.send_and_wait(
                detector.topics.executions, entry.to_bytes(), key=of_codec.encode()
            )
        await producer.stop()
        assert len(await detector.records(detector.topics.commands, 1, of_codec)) == 1


@pytest.mark.timeout(360)
async def test_messages_that_are_too_large_to_publish_again_stop_no_worker(
    system: System, tool: str
) -> None:
    executions, deployments = system.topics.executions, system.topics.deployments
    await system.deploy(tool, "a")
    await system.deploy(tool, "b")
    long = json.loads(deployment(tool, "d").to_bytes()) | {"improvement_reason": "y" * 100_000}
    bad = [
        await publish(system, executions, tool, changed(tool, kind="x" * 3_600_000)),
        await publish(system, executions, b"k" * 2_800_000, b"x" * 1_200_000),
        await publish(system, deployments, b"\xff" * 1_450_000, deployment(tool, "c").to_bytes()),
        await publish(system, deployments, tool, json.dumps(long).encode()),
    ]
    assert len(await dead_letters(system, bad)) == 4
    await system.run(*(execution(tool, "boom") for _ in range(3)))
    assert len(await system.records(system.topics.outcomes, 1, tool)) == 1
