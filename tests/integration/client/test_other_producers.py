"""Engines that use other clients of Kafka, with nothing set but the address of the broker.

librdkafka places records by CRC32, so most of what it sends lies in a wrong partition.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar
from zlib import crc32

import pytest

from schemas.deployment import DeploymentOutcome
from schemas.message import Message
from schemas.rollback import RollbackOutcome
from streams.forwarding import HEADER
from streams.partitions import partition_of
from tests.support.inputs.messages import command_by_ann, deployment, execution
from tests.support.servers.other_clients import ConfluentClient, KafkaPythonClient, OtherClient
from tests.support.systems.system import System
from tests.support.waiting import WAIT_S, until

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.timeout(360),
    pytest.mark.filterwarnings("ignore:read_text is deprecated:DeprecationWarning"),
]

TOOLS = 8
EACH = 60
T = TypeVar("T", bound=Message)


@pytest.fixture(scope="module")
def kafka(apache_kafka: str) -> str:
    """Run the shared workers on Apache Kafka alone: the embedded broker is not for every client."""
    return apache_kafka


async def heard(
    client: OtherClient,
    topic: str,
    of: Callable[[bytes], T],
    wanted: Callable[[T], bool],
    count: int = 1,
) -> list[T]:
    """Return the first messages that are wanted, as the client reads them from the topic."""

    def read() -> list[T]:
        found: list[T] = []
        records: Iterator[tuple[bytes, bytes]] = client.read(topic)
        for key, value in records:
            message = of(value)
            if wanted(message):
                assert key.decode() == message.tool_name  # type: ignore[attr-defined]
                found.append(message)
                if len(found) == count:
                    records.close()  # type: ignore[attr-defined]
                    break
        return found

    return await asyncio.wait_for(asyncio.to_thread(read), WAIT_S)


@pytest.mark.parametrize("make", [ConfluentClient, KafkaPythonClient])
async def test_all_that_another_client_sends_counts_exactly(
    shared_on_each: System, tool: str, make: Callable[[str], OtherClient]
) -> None:
    system, topics = shared_on_each, shared_on_each.topics
    client = make(",".join(system.settings.kafka_brokers))
    tools = [f"{tool}-{number}" for number in range(TOOLS)]

    async def send(topic: str, messages: Sequence[tuple[str, Message]]) -> None:
        def hand_over() -> None:
            for key, message in messages:
                client.send(topic, key.encode(), message.to_bytes())
            client.flush()

        await asyncio.to_thread(hand_over)

    async def deploy(code: str) -> dict[str, DeploymentOutcome]:
        requests = [deployment(each, code) for each in tools]
        await send(topics.deployments, [(each.tool_name, each) for each in requests])
        ids = {each.deployment_id for each in requests}
        outcomes = await heard(
            client,
            topics.deployment_outcomes,
            DeploymentOutcome.from_bytes,
            lambda each: each.deployment_id in ids,
            TOOLS,
        )
        return {each.tool_name: each for each in outcomes}

    good = await deploy("good = 1")
    runs = [
        (each, execution(each, error, version_id=good[each].version_id))
        for error in [None, None, None, None, "KeyError: 'x'"] * (EACH // 5)
        for each in tools
    ]
    await send(topics.executions, runs)
    broken = await deploy("broken = 2")
    assert {each.version_number for each in broken.values()} == {2}
    failing = [
        (each, execution(each, "TypeError: no", version_id=broken[each].version_id))
        for each in tools
        for _ in range(3)
    ]
    await send(topics.executions, failing)
    outcomes = await heard(
        client,
        topics.outcomes,
        RollbackOutcome.from_bytes,
        lambda each: each.tool_name in tools and each.status == "applied",
        TOOLS,
    )
    assert {each.tool_name: each.to_version_id for each in outcomes} == {
        each: good[each].version_id for each in tools
    }
    by_hand = command_by_ann(tools[0], to_version_id=broken[tools[0]].version_id)
    await send(topics.commands, [(tools[0], by_hand)])
    [applied] = await heard(
        client,
        topics.outcomes,
        RollbackOutcome.from_bytes,
        lambda each: each.command_id == by_hand.command_id,
    )
    assert applied.status == "applied"

    async def all_recorded() -> bool:
        sql = "SELECT count(*) FROM tool_executions WHERE tool_name = any($1)"
        return bool((await system.query(sql, tools))[0][0] >= len(runs) + len(failing))

    await until(all_recorded)
    sql = "SELECT version_number, sum(total_executions), count(*) FROM tool_versions"
    rows = await system.query(f"{sql} WHERE tool_name = any($1) GROUP BY 1", tools)
    assert {tuple(row) for row in rows} == {(1, len(runs), TOOLS), (2, len(failing), TOOLS)}
    assert await _forwarded(system, tools) == {
        each: EACH + 3
        for each in tools
        if make is ConfluentClient and crc32(each.encode()) % 4 != partition_of(each.encode(), 4)
    }


async def _forwarded(system: System, tools: list[str]) -> Counter[str]:
    """Return how many executions of each tool were forwarded."""
    found: Counter[str] = Counter()
    async with system.reader(system.topics.executions) as reader:
        ends = await reader.end_offsets(reader.assignment())
        while any([await reader.position(each) < end for each, end in ends.items()]):
            for records in (await reader.getmany(timeout_ms=500)).values():
                copies = [each for each in records if HEADER in dict(each.headers)]
                found.update(each.key.decode() for each in copies if each.key.decode() in tools)
    return found
