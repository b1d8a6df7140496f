"""The engines in Java and in Node, as `examples/` has them, with the server on Apache Kafka.

Each deploys a good version of a tool and a broken one, runs them, and reads how the broken one is
rolled back.
"""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer
from aiokafka.structs import ConsumerRecord

from documentation.asyncapi.json_schemas import standalone_schemas
from schemas.deployment import Deployment
from schemas.execution import read_log_entry
from schemas.message import Message
from streams.partitions import partition_of
from tests.support.inputs.messages import version
from tests.support.schema_checks import faults_of
from tests.support.systems.system import System

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(540)]

_EXAMPLES: Final = Path(__file__).parents[3] / "examples"
_IN_MAVEN: Final = ("mvn", "-q", "-B", "compile", "dependency:copy-dependencies")
_IN_NPM: Final = ("npm", "ci", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund")
_QUICK_START: Final = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""Options of Java for programs that end soon."""
_JAVA: Final = ("java", *_QUICK_START.split(), "-cp", "target/classes:target/dependency/*")


@pytest.fixture(scope="module")
def kafka(apache_kafka: str) -> str:
    """Run the shared workers on Apache Kafka alone: the clients of other languages expect that."""
    return apache_kafka


@pytest_asyncio.fixture
async def uncommitted(shared_on_each: System, tool: str) -> AsyncIterator[None]:
    """Write a version of the tool with a large activation, in a transaction that is aborted."""
    producer = AIOKafkaProducer(
        bootstrap_servers=list(shared_on_each.settings.kafka_brokers),
        transactional_id=f"{shared_on_each.settings.topic_prefix}{tool}",
    )
    await producer.start()
    try:
        await producer.begin_transaction()
        never = version(1_000, "never", tool)
        topic = shared_on_each.topics.versions
        await producer.send_and_wait(topic, never.to_bytes(), key=tool.encode())
        await producer.abort_transaction()
    finally:
        await producer.stop()
    yield


def copied(language: str, folder: Path, *needed: str) -> Path:
    """Return a copy of an example, in which nothing is built yet. Skip without its programs."""
    missing = [each for each in needed if shutil.which(each) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not found: the example in {language} needs it")
    built = shutil.ignore_patterns("target", "node_modules")
    return Path(shutil.copytree(_EXAMPLES / language, folder / language, ignore=built))


async def output_of(command: Sequence[str], folder: Path, **environment: str) -> str:
    """Return what a program prints; it must succeed."""
    program = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env={**os.environ, **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, complaints = await program.communicate()
    assert program.returncode == 0, (printed + complaints).decode()
    return printed.decode()


@pytest.mark.usefixtures("uncommitted")
async def test_an_engine_in_java(shared_on_each: System, tool: str, tmp_path: Path) -> None:
    folder = copied("java", tmp_path, "java", "javac", "mvn")
    await output_of(_IN_MAVEN, folder, MAVEN_OPTS=_QUICK_START)
    await _plays(shared_on_each, tool, [*_JAVA, "example.Example", tool], folder)


@pytest.mark.usefixtures("uncommitted")
async def test_an_engine_in_node(shared_on_each: System, tool: str, tmp_path: Path) -> None:
    folder = copied("node", tmp_path, "node", "npm")
    await output_of(_IN_NPM, folder)
    await _plays(shared_on_each, tool, ["node", "example.js", tool], folder)


async def _plays(system: System, tool: str, command: Sequence[str], folder: Path) -> None:
    printed = await output_of(
        command,
        folder,
        ROLLGUARD_KAFKA_BROKERS=",".join(system.settings.kafka_brokers),
        ROLLGUARD_TOPIC_PREFIX=system.settings.topic_prefix,
    )
    told: list[dict[str, Any]] = [json.loads(line) for line in printed.splitlines()]
    assert [next(iter(each)) for each in told] == [
        *("deployed", "ran", "ran", "ran", "ran", "ran"),
        *("deployed", "ran", "ran", "ran", "rolled_back", "ran"),
    ]
    ran = [each["ran"] for each in told if "ran" in each]
    assert [(each["version_number"], each["success"]) for each in ran] == [
        *[(1, True)] * 5,
        *[(2, False)] * 3,
        (1, True),
    ]
    deployed = [each["deployed"] for each in told if "deployed" in each]
    assert [each["status"] for each in deployed] == ["created", "created"]
    [rollback] = [each["rolled_back"] for each in told if "rolled_back" in each]
    assert rollback["status"] == "applied"
    assert rollback["from_version_id"] == deployed[1]["version_id"]
    assert rollback["to_version_id"] == deployed[0]["version_id"]
    await system.executions_recorded(tool, len(ran))
    log = await system.records(system.topics.executions, 3 + len(ran), tool)
    requests = await system.records(system.topics.deployments, len(deployed), tool)
    read: list[tuple[ConsumerRecord, Message]] = [
        (each, read_log_entry(each.value)) for each in log
    ]
    read += [(each, Deployment.from_bytes(each.value)) for each in requests]
    for record, message in read:
        assert record.partition == partition_of(tool.encode(), system.settings.partitions)
        schema = standalone_schemas()[type(message).__name__]
        assert not faults_of(json.loads(record.value), schema)
