"""Records of a producer with another partitioner, through real workers."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka.structs import ConsumerRecord

from schemas.execution import Execution
from schemas.later_verdict import LaterVerdict
from schemas.message import Message
from schemas.rollback import RollbackOutcome
from streams.forwarding import HEADER
from streams.partitions import partition_of
from tests.support.inputs.messages import command_by_ann, deployment, execution
from tests.support.systems.command_line import rollguard
from tests.support.systems.system import System
from tests.support.waiting import until
from tests.unit.streams.test_forwarding import verdict

Headers = Sequence[tuple[str, bytes]]


@pytest.fixture
def system(shared_on_each: System) -> System:
    return shared_on_each


def home_of(system: System, tool: str) -> int:
    return partition_of(tool.encode(), system.settings.partitions)


async def send(
    system: System,
    tool: str,
    message: Message,
    headers: Headers = (),
    *,
    topic: str | None = None,
    distance: int = 1,
) -> int:
    """Publish a message so many partitions from the tool's, and return its offset there."""
    sent = await system.producer.send_and_wait(
        topic or system.topics.executions,
        message.to_bytes(),
        key=tool.encode(),
        partition=(home_of(system, tool) + distance) % system.settings.partitions,
        headers=list(headers),
    )
    return int(sent.offset)


async def copies(system: System, tool: str, count: int) -> list[ConsumerRecord]:
    """Return the first ``count`` forwarded records of the tool, in their order; wait for them."""
    found: list[ConsumerRecord] = []
    async with system.reader(system.topics.executions) as reader:
        async for record in reader:
            if record.key == tool.encode() and HEADER in dict(record.headers):
                found.append(record)
                if len(found) == count:
                    break
    return found


async def counted(system: System, tool: str, executions: int) -> dict[str, Any]:
    """Wait until the detector has counted so many executions; return the tool's health."""
    answer: dict[str, Any] = {}

    async def has_counted() -> bool:
        nonlocal answer
        status, answer = await system.health(tool)
        return status == 200 and answer["windows"]["standard"]["executions"] >= executions

    await until(has_counted)
    return answer


async def test_deployments_and_commands_are_applied_from_every_partition(
    system: System, tool: str
) -> None:
    codes = ["a = 1", "b = 2", "c = 3", "d = 4"]
    requests = [deployment(tool, code) for code in codes]
    for distance, request in enumerate(requests):
        await send(system, tool, request, topic=system.topics.deployments, distance=distance)
        outcome = await system.outcome_of(request)
        assert (outcome.status, outcome.version_number) == ("created", distance + 1)
    first = (await system.outcome_of(requests[0])).version_id
    command = command_by_ann(tool, to_version_id=first)
    for distance in (2, 3):
        await send(system, tool, command, topic=system.topics.commands, distance=distance)
    [record] = await system.records(system.topics.outcomes, 1, tool)
    assert RollbackOutcome.from_bytes(record.value).status == "applied"
    assert record.partition == home_of(system, tool)
    rows = await system.query("SELECT * FROM tool_versions WHERE tool_name = $1", tool)
    assert {row["version_number"]: row["is_current"] for row in rows} == {
        1: True, 2: False, 3: False, 4: False,
    }  # fmt: skip


async def test_a_broken_version_is_rolled_back_by_misplaced_executions(
    system: System, tool: str
) -> None:
    good = await system.deploy(tool, "good = 1")
    bad = await system.deploy(tool, "bad = 2")
    runs = [execution(tool, f"TypeError: {number}") for number in range(2)]
    trace: Headers = [("traceparent", b"\x00\xff"), (HEADER, b"0/7"), ("empty", b"")]
    offsets = [await send(system, tool, run, trace, distance=3) for run in runs]
    source = (home_of(system, tool) + 3) % system.settings.partitions

    [record] = await system.records(system.topics.outcomes, 1, tool)
    outcome = RollbackOutcome.from_bytes(record.value)
    assert (outcome.reason, outcome.to_version_id) == ("signature_change", good.version_id)
    forwarded = await copies(system, tool, 4)
    of_them = [each for each in forwarded if each.partition == home_of(system, tool)]
    for copy, run, offset in zip(of_them, runs, offsets, strict=True):
        assert copy.value == run.to_bytes()
        assert copy.headers == (trace[0], trace[2], (HEADER, f"{source}/{offset}".encode()))
    await system.executions_recorded(tool, 2)
    rows = await system.query("SELECT * FROM tool_executions WHERE tool_name = $1", tool)
    assert {(row["log_offset"], row["version_id"]) for row in rows} == {
        (copy.offset, bad.version_id) for copy in of_them
    }
    sql = "SELECT total_executions FROM tool_versions WHERE version_id = $1"
    assert (await system.query(sql, bad.version_id))[0][0] == 2


async def test_each_counts_once_whatever_is_repeated_or_forged(system: System, tool: str) -> None:
    deployed = await system.deploy(tool, "x = 1")
    runs: list[Execution] = [execution(tool) for _ in range(15)]
    source = (home_of(system, tool) + 1) % system.settings.partitions

    async def forge(value: bytes, message: Message) -> None:
        """Publish a copy as anybody may do it."""
        await send(system, tool, message, [(HEADER, value)], distance=0)

    first = await send(system, tool, runs[0])
    await counted(system, tool, 1)
    await forge(b"%d/999999999999" % source, runs[1])  # impossible: counts as any other
    for number in range(2, 12):  # the first ones leave the ring, which would know their ids
        await send(system, tool, runs[number])
    await counted(system, tool, 12)
    for repeated in (runs[0], runs[1]):  # a zombie appends again what it has read
        await forge(b"%d/%d" % (source, first), repeated)
    for value, number in ((b"nonsense", 12), (b"%d/1" % home_of(system, tool), 13)):
        await forge(value, runs[number])
    await send(system, tool, runs[14])
    health = await counted(system, tool, 15)
    assert health["windows"]["standard"]["executions"] == 15
    await system.executions_recorded(tool, 15)
    sql = "SELECT total_executions FROM tool_versions WHERE version_id = $1"
    assert (await system.query(sql, deployed.version_id))[0][0] == 15
    words = "backtest", "--topic", "--tool", tool, "--json"
    backtest = await rollguard(*words, env=system.environment())
    found = json.loads(backtest.out)
    assert (found["executions"], backtest.err) == (15, "")


async def test_the_order_of_one_partition_is_kept_and_verdicts_come_too(
    system: System, tool: str
) -> None:
    await system.deploy(tool, "x = 1")
    said: list[Execution | LaterVerdict] = []
    for _ in range(40):
        said += [execution(tool), verdict(tool)]
    for each in said:
        await system.send(
            system.topics.executions,
            tool,
            each,
            partition=(home_of(system, tool) + 2) % system.settings.partitions,
        )
    forwarded = await copies(system, tool, len(said))
    assert [copy.value for copy in forwarded] == [each.to_bytes() for each in said]
    assert {copy.partition for copy in forwarded} == {home_of(system, tool)}
    await system.executions_recorded(tool, 40)

    async def verdicts_recorded() -> bool:
        sql = "SELECT count(*) FROM later_verdicts WHERE tool_name = $1"
        return bool((await system.query(sql, tool))[0][0] == 40)

    await until(verdicts_recorded)
    metrics = await system.metrics("detector")
    assert "rollguard_forwarded_executions_total" in metrics

    async def is_told() -> bool:
        return "executions_forwarded" in system.log("detector")

    await until(is_told)
