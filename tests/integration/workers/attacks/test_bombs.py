"""Small compressed batches that are huge when they are unpacked cost no role its memory."""

import json
from pathlib import Path
from typing import Final

import pytest

from schemas.dead_letter import DeadLetter
from streams.partitions import partition_of
from tests.support.inputs.bombs import CODECS, MIB, bomb, send_batch
from tests.support.inputs.messages import execution
from tests.support.systems.system import System
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(900)

ROLES: Final = ("detector", "applier", "recorder")
TOOL: Final = "words"
MOST_BYTES: Final = 400 * MIB
SIZES: Final = {"gzip": 1024 * MIB, "zstd": 1024 * MIB, "lz4": 512 * MIB, "snappy": 60 * MIB}
"""Snappy packs at most about 21 bytes into one, so a record of 4 MiB cannot hold more."""


@pytest.fixture
def bombs(request: pytest.FixtureRequest) -> dict[str, bytes]:
    """Return one of each codec; they are smaller, and more than a role may have, if not for Kafka.

    Packing a gigabyte takes some seconds.
    """
    most = max(SIZES.values()) if request.node.get_closest_marker("kafka") else MOST_BYTES
    return {codec: bomb(codec, min(SIZES[codec], most)) for codec in CODECS}


async def test_a_huge_batch_is_a_dead_letter_and_the_roles_go_on(
    system: System, bombs: dict[str, bytes]
) -> None:
    topics, partition = system.topics, partition_of(TOOL.encode(), system.settings.partitions)
    await system.deploy(TOOL, "a")
    await system.deploy(TOOL, "b")
    expected = set()
    for topic in (topics.executions, topics.deployments, topics.commands):
        for batch in bombs.values():
            first = await send_batch(system.producer, topic, partition, batch)
            expected.add((topic, first, first + count_of(batch) - 1))
    await system.run(*(execution(TOOL, "boom") for _ in range(3)))
    [outcome] = await system.records(topics.outcomes, 1)
    assert json.loads(outcome.value)["status"] == "applied"
    await system.executions_recorded(TOOL, 3)
    assert (await system.deploy(TOOL, "c")).version_number == 3

    records = await system.records(topics.dead_letters, len(expected))
    letters = [DeadLetter.from_bytes(record.value) for record in records]
    assert {(each.topic, each.offset) for each in letters} == {
        (topic, last) for topic, _, last in expected
    }
    for topic, first, last in expected:
        [letter] = [each for each in letters if (each.topic, each.offset) == (topic, last)]
        assert f"the offsets {first} to {last} was not unpacked" in letter.error
        assert letter.truncated
        assert letter.value is None
    require_small(system)


async def test_many_batches_that_just_fit_are_held_a_few_at_a_time(
    kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    just_fits = bomb("zstd", 4 * MIB, 64 * 1024)
    async with System.started(
        kafka,
        database_dsn,
        topic_prefix,
        tmp_path,
        ROLES,
        ROLLGUARD_SESSION_TIMEOUT_S="30",  # this takes all of the machine for a while
    ) as system:
        await _send_many(system, just_fits)


async def _send_many(system: System, just_fits: bytes) -> None:
    await system.deploy(TOOL, "a")
    await system.deploy(TOOL, "b")
    for partition in range(system.settings.partitions):
        for topic in (system.topics.executions, system.topics.commands):
            for _ in range(12):
                await send_batch(system.producer, topic, partition, just_fits)
    await system.run(*(execution(TOOL, "boom") for _ in range(3)))

    async def rolled_back_and_recorded() -> bool:
        [rollbacks] = await system.query("SELECT count(*) FROM rollbacks WHERE status = 'applied'")
        [executions] = await system.query("SELECT count(*) FROM tool_executions")
        return (rollbacks[0], executions[0]) == (1, 3)

    await until(rolled_back_and_recorded, timeout_s=200)
    require_small(system, 400 * MIB)  # with all of them at once it would be 500 and more


async def test_a_flood_of_bad_records_costs_few_dead_letters_and_is_counted_to_the_last(
    detector: System,
) -> None:
    topics, partition = detector.topics, 1
    flood = bomb("gzip", 4 * MIB)
    sent = 50 * len(flood)
    for _ in range(50):
        await send_batch(detector.producer, topics.executions, partition, flood)

    async def counted() -> bool:
        return sum(await _bad_records(detector)) == 200

    await until(counted, timeout_s=120)
    published, unpublished = await _bad_records(detector)
    letters = [
        DeadLetter.from_bytes(record.value)
        for record in await detector.records(topics.dead_letters, published)
    ]
    kept = sum(len(each.to_bytes()) for each in letters)
    print("sent", sent, "letters", len(letters), "bytes", kept)
    assert kept < 6 * MIB
    assert len({each.offset for each in letters}) == published
    newest = max(each.offset for each in letters)
    assert published + sum(each.unpublished or 0 for each in letters) == newest + 1
    assert unpublished == 200 - published
    lines = [each for each in detector.log("detector").splitlines() if '"dead_letters"' in each]
    assert len(lines) < 60
    assert sum(json.loads(each)["records"] for each in lines) <= 200


async def _bad_records(system: System) -> tuple[int, int]:
    """Return how many bad records have a dead letter, and how many have none."""
    metrics = await system.metrics("detector")
    lines = [
        each for each in metrics.splitlines() if each.startswith("rollguard_bad_records_total")
    ]
    return _sum(lines, "yes"), _sum(lines, "no")


def _sum(lines: list[str], published: str) -> int:
    found = [each.split()[-1] for each in lines if f'published="{published}"' in each]
    return round(sum(map(float, found)))


def count_of(batch: bytes) -> int:
    return int.from_bytes(batch[57:61])


def require_small(system: System, most: int = MOST_BYTES) -> None:
    """Require that no worker has ever had more memory than it may have."""
    peaks = []
    for worker in system.running:
        status = Path(f"/proc/{worker.pid}/status").read_text()
        [line] = [each for each in status.splitlines() if each.startswith("VmHWM")]
        peak = int(line.split()[1]) * 1024
        peaks.append(peak)
    print("peaks", [peak // MIB for peak in peaks])
    assert max(peaks) < most
