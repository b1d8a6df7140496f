"""Thousands of mutated messages on every input topic, which the three real workers read.

No worker stops, every good message counts once, every bad one becomes a dead letter, and none does
both. The seed is printed; ``ROLLGUARD_TEST_FUZZ_SEED`` repeats a run.
"""

import asyncio
import os
import time
from base64 import b64encode
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote
from uuid import UUID

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from schemas.dead_letter import DeadLetter
from schemas.deployment import DeploymentOutcome
from schemas.message import MAX_REQUEST_BYTES
from streams.forwarding import source_of
from streams.partitions import partition_of
from tests.support.mutations.cases import cases
from tests.support.mutations.message import ID_OF, Case, Kind, Raw, json_of
from tests.support.systems.system import System
from tests.support.waiting import WAIT_S, until

SEED = int(os.environ.get("ROLLGUARD_TEST_FUZZ_SEED", "20260131"))
ROLES = ("detector", "applier", "recorder")
ALL_DEAD_LETTERS: Mapping[str, Any] = {"ROLLGUARD_DEAD_LETTER_BYTES_PER_MINUTE": str(2**40)}
"""So many bad records come at once that most of them would only be counted."""
EXECUTED = ["plain", "数 🛡", "x" * 255, "a/b?c&d", "-", "tab\tname"]
DEPLOYED = ["deployed", "é deployed", "third"]
COMMANDED = ["commanded", "second 数"]
CODECS = ("gzip", "snappy", "lz4", "zstd")
KEPT_BYTES = 64 * 1024

Position = tuple[str, int, int]
"""The topic, the partition and the offset of a record."""


@dataclass
class Fuzz:
    """The messages that were sent, and their dead letters, by record position."""

    system: System
    sent: dict[Position, Case] = field(default_factory=dict)
    dead_letters: dict[Position, DeadLetter] = field(default_factory=dict)
    version_ids: dict[str, int] = field(default_factory=dict)
    origins: dict[Position, Position] = field(default_factory=dict)
    """The position of the original of each forwarded execution, by that of its copy."""

    def topic(self, kind: Kind) -> str:
        topics = self.system.topics
        return {
            "execution": topics.executions,
            "deployment": topics.deployments,
            "command": topics.commands,
        }[kind]

    def of(self, kind: Kind) -> dict[Position, Case]:
        return {position: case for position, case in self.sent.items() if case.kind == kind}

    def taken(self, kind: Kind) -> dict[Position, Case]:
        """Return the messages that did not become dead letters."""
        return {
            position: case
            for position, case in self.of(kind).items()
            if position not in self.dead_letters
        }

    async def deploy_all(self) -> None:
        """Deploy one version of each tool that executes, three of each that gets commands."""
        for tool in EXECUTED:
            outcome = await self.system.deploy(tool, "def execute(): ...")
            self.version_ids[tool] = outcome.version_id or 0
        for tool in COMMANDED:
            for number in range(3):
                outcome = await self.system.deploy(tool, f"def execute(): return {number}")
                if number == 1:
                    self.version_ids[tool] = outcome.version_id or 0

    async def send(self, mixed: Iterable[Case]) -> None:
        """Send the cases in order, and then one bad record to each partition of each topic."""
        sent = []
        async with _producers(self.system) as producers:
            for case in mixed:
                acknowledged = await producers[case.codec].send(
                    self.topic(case.kind),
                    case.value,
                    key=case.key,
                    partition=case.partition,
                    headers=list(case.headers),
                )
                sent.append((case, acknowledged))
            await asyncio.gather(*(producer.flush() for producer in producers.values()))
            for kind in ID_OF:
                for partition in range(self.system.settings.partitions):
                    last = Case("the last record", kind, "bad", b"end", b"the end", {}, partition)
                    acknowledged = await producers[None].send(
                        self.topic(kind), last.value, key=last.key, partition=partition
                    )
                    sent.append((last, acknowledged))
            for case, acknowledged in sent:
                metadata = await acknowledged
                self.sent[metadata.topic, metadata.partition, metadata.offset] = case

    async def read_dead_letters(self, quiet_s: float = 20.0) -> None:
        """Read `dead-letters` until all bad records are there and no more come for 1 s.

        Stop also if no record comes for ``quiet_s``.
        """
        bad = {position for position, case in self.sent.items() if case.fate == "bad"}
        async with self.system.reader(self.system.topics.dead_letters) as consumer:
            while True:
                wait_s = quiet_s if bad - self.dead_letters.keys() else 1.0
                found = await consumer.getmany(timeout_ms=int(wait_s * 1000))
                if not found:
                    return
                for records in found.values():
                    for record in records:
                        dead_letter = DeadLetter.from_bytes(record.value)
                        self.dead_letters[
                            dead_letter.topic, dead_letter.partition, dead_letter.offset
                        ] = dead_letter

    async def read_origins(self) -> None:
        """Read where forwarded executions come from."""
        topic, originals = self.system.topics.executions, set[Position]()
        wanted = {
            position
            for position, case in self.taken("execution").items()
            if case.name == "wrong partition"
        }
        async with self.system.reader(topic) as consumer, asyncio.timeout(WAIT_S):
            while originals < wanted:
                record = await consumer.getone()
                source = source_of(
                    record.headers, record.partition, self.system.settings.partitions
                )
                if source is not None:
                    original = topic, *source
                    self.origins[topic, record.partition, record.offset] = original
                    originals.add(original)


@asynccontextmanager
async def _producers(system: System) -> AsyncIterator[dict[str | None, AIOKafkaProducer]]:
    """Yield a producer without compression, and one for each codec."""
    producers: dict[str | None, AIOKafkaProducer] = {
        codec: AIOKafkaProducer(
            bootstrap_servers=list(system.settings.kafka_brokers),
            compression_type=codec,
            max_request_size=MAX_REQUEST_BYTES,
            linger_ms=2,
        )
        for codec in (None, *CODECS)
    }
    try:
        for producer in producers.values():
            await producer.start()
        yield producers
    finally:
        for producer in producers.values():
            await producer.stop()


def mixed_cases(fuzz: Fuzz, random: Random, counts: dict[Kind, int], large: int) -> Iterable[Case]:
    """Yield the messages of all kinds, mixed at random; those of one kind stay in their order."""
    tools: dict[Kind, list[str]] = {
        "execution": EXECUTED,
        "deployment": DEPLOYED,
        "command": COMMANDED,
    }
    partitions = fuzz.system.settings.partitions
    streams = {
        kind: cases(kind, tools[kind], count, random, partitions, fuzz.version_ids, large)
        for kind, count in counts.items()
    }
    order = [kind for kind, count in counts.items() for _ in range(count)]
    random.shuffle(order)
    for kind in order:
        yield next(streams[kind])


async def run_fuzz(system: System, counts: dict[Kind, int], large: int) -> None:
    """Send the messages, and check what the workers did with them."""
    print(f"ROLLGUARD_TEST_FUZZ_SEED={SEED}")
    pids = [worker.pid for worker in system.running]
    fuzz = Fuzz(system)
    await fuzz.deploy_all()
    begin = time.perf_counter()
    await fuzz.send(mixed_cases(fuzz, Random(SEED), counts, large))
    await fuzz.read_dead_letters()
    check_dead_letters(fuzz)
    await check_executions(fuzz)
    await check_deployments(fuzz)
    await check_commands(fuzz)
    assert [worker.pid for worker in system.running] == pids
    for worker, role in zip(system.running, ROLES, strict=True):
        assert worker.returncode is None, system.log(role)[-2000:]
        assert "batch_failed" not in system.log(role)
    fates = Counter(case.fate for case in fuzz.sent.values())
    print(
        f"{sum(fates.values())} records in {time.perf_counter() - begin:.1f} s: {dict(fates)}, "
        f"{len(fuzz.dead_letters)} dead letters"
    )


def check_dead_letters(fuzz: Fuzz) -> None:
    """Require a dead letter for every bad record, with the record and a reason, and no others."""
    missing = [
        (position, case.name, (case.value or b"")[:200])
        for position, case in fuzz.sent.items()
        if case.fate == "bad" and position not in fuzz.dead_letters
    ]
    assert missing == []
    for position, dead_letter in fuzz.dead_letters.items():
        case = fuzz.sent[position]
        value, key = case.value, case.key
        assert case.fate != "good", (case.name, dead_letter.error)
        assert dead_letter.error.strip()
        assert dead_letter.role == ("detector" if case.kind == "execution" else "applier")
        assert dead_letter.key == (None if key is None else b64encode(key[:1024]).decode())
        assert dead_letter.value == (
            None if value is None else b64encode(value[:KEPT_BYTES]).decode()
        )
        assert dead_letter.truncated == (value is not None and len(value) > KEPT_BYTES)


async def check_executions(fuzz: Fuzz) -> None:
    """Require that each execution without a dead letter is stored once and counted."""
    system, taken = fuzz.system, fuzz.taken("execution")

    async def all_recorded() -> bool:
        count = await system.query("SELECT count(*) FROM tool_executions")
        return bool(count[0][0] >= len(taken))

    with suppress(TimeoutError):  # the assertions below show what is missing
        await until(all_recorded)
    rows = await system.query("SELECT * FROM tool_executions")
    partitions = system.settings.partitions
    recorded: dict[Position, asyncpg.Record] = {}
    await fuzz.read_origins()
    for row in rows:
        partition = partition_of(row["tool_name"].encode(), partitions)
        position = system.topics.executions, partition, row["log_offset"]
        recorded[fuzz.origins.get(position, position)] = row
    assert len(recorded) == len(rows)
    assert recorded.keys() == taken.keys()
    for position, case in taken.items():
        if case.fate == "good":
            _check_row(recorded[position], case, fuzz.version_ids)
    of_version: dict[int, list[bool]] = defaultdict(list)
    for row in rows:
        if row["version_id"] == fuzz.version_ids[row["tool_name"]]:
            of_version[row["version_id"]].append(row["success"])
    for tool in EXECUTED:
        [metrics] = await system.query("SELECT * FROM tool_versions WHERE tool_name = $1", tool)
        counted = of_version[metrics["version_id"]]
        assert metrics["total_executions"] == len(counted)
        assert metrics["success_rate"] == sum(counted) / len(counted)
        await _check_windows(fuzz, tool, rows)


def _check_row(row: asyncpg.Record, case: Case, version_ids: dict[str, int]) -> None:
    """Require that the row has the fields of a good execution, or the current version if none."""
    sent: dict[str, Any] = {
        name: None if isinstance(each, Raw) else each for name, each in case.fields.items()
    }
    assert row["execution_id"] == UUID(sent["execution_id"]), case.name
    assert row["tool_name"] == sent["tool_name"]
    assert row["success"] == sent["success"]
    assert row["version_id"] == (sent.get("version_id") or version_ids[row["tool_name"]])
    text = str(sent["executed_at"]).upper().replace(" ", "T")
    assert abs(row["executed_at"] - datetime.fromisoformat(text)) < timedelta(microseconds=1)
    assert (row["error"] is None) == (sent.get("error") is None)
    session_id = sent.get("session_id")
    if session_id is not None and session_id.isprintable():
        assert row["session_id"] == session_id


async def _check_windows(fuzz: Fuzz, tool: str, rows: list[asyncpg.Record]) -> None:
    """Require that the detector counts the same executions of the last day as Postgres."""
    version_id = fuzz.version_ids[tool]
    times = [
        row["executed_at"].timestamp()
        for row in rows
        if row["tool_name"] == tool and row["version_id"] == version_id
    ]
    since = max(times) - 86_400
    expected = sum(time - time % 3_600 + 3_600 > since for time in times)

    async def has_counted() -> bool:  # also the copies of those that it has forwarded
        status, health = await _health(fuzz.system, tool)
        return status == 200 and health["windows"]["standard"]["executions"] == expected

    with suppress(TimeoutError):
        await until(has_counted)
    status, health = await _health(fuzz.system, tool)
    assert status == 200
    assert health["windows"]["standard"]["executions"] == expected
    assert health["version_id"] == version_id


async def _health(system: System, tool: str) -> tuple[int, dict[str, Any]]:
    return await system.health(quote(tool, safe=""))


async def check_deployments(fuzz: Fuzz) -> None:
    """Require that each good deployment became the current version, in its order.

    Each bad one whose id can be read must be refused.
    """
    taken = fuzz.taken("deployment")
    sql = "SELECT deployment_id, outcome ->> 'status' AS status FROM deployments"
    refusals = {
        UUID(case.fields["deployment_id"])
        for case in fuzz.of("deployment").values()
        if case.fate == "bad" and _has_readable_id(case)
    }

    before = len(EXECUTED) + 3 * len(COMMANDED)
    made = "SELECT FROM deployments WHERE outcome ->> 'status' <> 'refused'"
    await _until_rows(fuzz, before + len(taken), made)
    assert await _published(fuzz, refusals) == {"refused"}
    status = {row["deployment_id"]: row["status"] for row in await fuzz.system.query(sql)}
    assert not refusals & status.keys(), "a bad deployment uses up no id"
    assert sum(each != "refused" for each in status.values()) == before + len(taken)
    versions = await fuzz.system.query(
        "SELECT v.*, d.deployment_id AS request FROM tool_versions v JOIN deployments d"
        " ON (d.outcome ->> 'version_id')::int = v.version_id WHERE v.tool_name = ANY ($1)",
        DEPLOYED,
    )
    code = {row["request"]: row["code"] for row in versions}
    for case in taken.values():
        if case.fate == "good":
            sent = case.fields["code"].removeprefix("\ufeff")
            assert code[UUID(case.fields["deployment_id"])] == sent, case.name
    for tool in DEPLOYED:
        numbers = {row["version_number"] for row in versions if row["tool_name"] == tool}
        assert numbers == set(range(1, len(numbers) + 1))


async def _until_rows(fuzz: Fuzz, count: int, sql: str, *args: object) -> None:
    """Return when a query has so many rows; the assertions after it show what is missing.

    The applier may have set something aside when the last bad record is a dead letter already.
    """

    async def are_there() -> bool:
        return len(await fuzz.system.query(sql, *args)) >= count

    with suppress(TimeoutError):
        await until(are_there)


async def _published(fuzz: Fuzz, wanted: set[UUID]) -> set[str | None]:
    """Return which statuses the outcomes of these deployments have; wait for all of them."""
    found: dict[UUID, str] = {}
    with suppress(TimeoutError):
        async with (
            fuzz.system.reader(fuzz.system.topics.deployment_outcomes) as reader,
            asyncio.timeout(WAIT_S),
        ):
            async for record in reader:
                outcome = DeploymentOutcome.from_bytes(record.value)
                found[outcome.deployment_id] = outcome.status
                if wanted <= found.keys():
                    break
    return {found.get(each) for each in wanted}


def _has_readable_id(case: Case) -> bool:
    """Return whether the value is still JSON with the id of the good message."""
    if case.value != json_of(case.fields).encode() or "deployment_id" not in case.fields:
        return False
    if any(isinstance(value, Raw) for value in case.fields.values()):
        return False
    try:
        return bool(str(UUID(case.fields["deployment_id"])) == case.fields["deployment_id"])
    except (ValueError, TypeError, AttributeError):
        return False


async def check_commands(fuzz: Fuzz) -> None:
    """Require that each command without a dead letter was applied or rejected once."""
    taken = fuzz.taken("command")
    sql = "SELECT command_id, status FROM rollbacks WHERE tool_name = ANY ($1)"
    await _until_rows(fuzz, len(taken), sql, COMMANDED)
    rows = await fuzz.system.query(sql, COMMANDED)
    ids = {UUID(case.fields["command_id"]) for case in taken.values() if case.fate == "good"}
    assert ids <= {row["command_id"] for row in rows}
    assert len(rows) == len(taken)
    assert {row["status"] for row in rows} == {"applied", "rejected"}


@pytest.mark.timeout(540)
async def test_some_hundreds_on_the_embedded_broker(
    embedded_broker: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    counts: dict[Kind, int] = {"execution": 500, "deployment": 80, "command": 120}
    async with System.started(
        embedded_broker, database_dsn, topic_prefix, tmp_path, ROLES, **ALL_DEAD_LETTERS
    ) as system:
        await run_fuzz(system, counts, large=1)


@pytest.mark.kafka
@pytest.mark.timeout(720)
async def test_five_thousand_bad_ones_on_apache_kafka(
    apache_kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    counts: dict[Kind, int] = {"execution": 6_800, "deployment": 1_200, "command": 2_000}
    async with System.started(
        apache_kafka, database_dsn, topic_prefix, tmp_path, ROLES, **ALL_DEAD_LETTERS
    ) as system:
        await run_fuzz(system, counts, large=4)
