"""The applier on a real Postgres: groups, what breaks them, what is published in which order."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from aiokafka.structs import ConsumerRecord
from prometheus_client import CollectorRegistry

from agents.applier import apply_changes, apply_deployments
from agents.applier.apply_changes import ApplyChanges
from agents.applier.apply_deployments import Deployments
from agents.applier.apply_rollbacks import Rollbacks
from agents.applier.publish_changes import PublishChanges
from agents.applier.rollback_report import RollbackReport
from db.postgres import locks
from db.postgres.locks import tool_lock
from db.postgres.pool import Connection, Pool
from db.versions.tool_versions import current_version
from policy.breaking.finding import Finding, Kind, found
from schemas.deployment import Deployment, DeploymentOutcome, ToolVersion
from schemas.execution import Activation, read_log_entry
from schemas.rollback import RollbackCommand, RollbackOutcome
from schemas.settings import Settings
from streams.driver.batch import Batch
from streams.driver.outbox import Outgoing
from streams.records import RecordValidator
from streams.topics import Topics
from streams.waits import Waits
from tests.integration.db.test_db import NOW, command, deploy_all, deployment

SETTINGS = Settings(partitions=1)
TOPICS = Topics.of(SETTINGS)


class Broker:
    """What was published, as it was published: what is acknowledged together."""

    def __init__(self) -> None:
        self.published: list[list[Outgoing]] = []

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        if messages:
            self.published.append(list(messages))

    def of(self, topic: str) -> list[bytes]:
        return [each.value for some in self.published for each in some if each.topic == topic]

    def shape(self) -> list[tuple[str, list[str]]]:
        """Topics and tools."""
        return [
            (some[0].topic, [(each.key or b"").decode() for each in some])
            for some in self.published
        ]

    def deployed(self) -> list[DeploymentOutcome]:
        return list(map(DeploymentOutcome.from_bytes, self.of(TOPICS.deployment_outcomes)))

    def rolled_back(self) -> list[RollbackOutcome]:
        return list(map(RollbackOutcome.from_bytes, self.of(TOPICS.outcomes)))

    def activations(self, tool: str) -> list[int]:
        entries = map(read_log_entry, self.of(TOPICS.executions))
        return [
            each.activation
            for each in entries
            if isinstance(each, Activation) and each.tool_name == tool
        ]


class Comparer:
    """In the place of the analyst: says which code it was given."""

    def __init__(self) -> None:
        self.asked: list[tuple[str | None, str]] = []
        self.meanwhile: Callable[[], Any] | None = None
        self.kind: Kind = "default_changed"

    async def compare(self, old: str | None, new: str) -> list[Finding]:
        self.asked.append((old, new))
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            await meanwhile()
        return [found(self.kind, "", f"{old} to {new}", None)]


class Applier:
    """Both halves of the applier over one broker."""

    def __init__(
        self, pool: Pool, broker: Broker | None = None, settings: Settings = SETTINGS
    ) -> None:
        self.broker, self.comparer, self.waits = broker or Broker(), Comparer(), Waits()
        outbox: Any = self.broker
        comparer: Any = self.comparer
        validator = RecordValidator(settings, 1)
        publish = PublishChanges(pool, outbox, TOPICS)
        deployments = Deployments(
            publish, pool, outbox, validator, comparer, settings, TOPICS, self.waits
        )
        dead_letters = TOPICS.dead_letters
        self.deployments = ApplyChanges(deployments, outbox, dead_letters, self.waits)
        self.registry = CollectorRegistry()
        report = RollbackReport(self.registry)
        rollbacks = Rollbacks(publish, pool, validator, comparer, settings, TOPICS, report)
        self._rollbacks = ApplyChanges(rollbacks, outbox, dead_letters, self.waits)

    async def deploy(self, *wishes: Deployment | bytes) -> None:
        await self.deployments.handle(batch(TOPICS.deployments, *wishes))

    async def roll_back(self, *wishes: RollbackCommand | bytes) -> None:
        await self._rollbacks.handle(batch(TOPICS.commands, *wishes))


def batch(topic: str, *wishes: Deployment | RollbackCommand | bytes) -> Batch:
    records: list[Any] = []
    for offset, wish in enumerate(wishes):
        key, value = (
            (b"bad", wish)
            if isinstance(wish, bytes)
            else (wish.tool_name.encode(), wish.to_bytes())
        )
        at_ms = int(NOW.timestamp() * 1000) + 7_200_000
        records.append(ConsumerRecord(topic, 0, offset, at_ms, 0, key, value, None, 0, 0, ()))
    return Batch(records)


@pytest.fixture
def applier(pool: Pool) -> Applier:
    return Applier(pool)


async def test_a_group_shares_what_is_acknowledged(applier: Applier) -> None:
    wishes = [deployment("one", tool) for tool in "abc"]
    await applier.deploy(*wishes)
    together = list("abc")
    assert applier.broker.shape() == [
        (TOPICS.executions, together),
        (TOPICS.versions, together),
        (TOPICS.deployment_outcomes, together),
    ]
    assert [each.deployment_id for each in applier.broker.deployed()] == [
        each.deployment_id for each in wishes
    ]
    # what is known already, and what is unchanged: the outcomes alone, and what is current again
    await applier.deploy(wishes[0], deployment("one", "b"))
    assert applier.broker.shape()[3:] == [
        (TOPICS.executions, ["a"]),
        (TOPICS.versions, ["a"]),
        (TOPICS.deployment_outcomes, ["a", "b"]),
    ]
    first, *_, again, _ = applier.broker.of(TOPICS.deployment_outcomes)
    assert again == first


async def test_a_tool_that_comes_again_begins_another_group(applier: Applier) -> None:
    wishes = [("1", "a"), ("2", "a"), ("1", "b"), ("2", "b"), ("3", "a"), ("3", "b")]
    await applier.deploy(*(deployment(code, tool) for code, tool in wishes))
    together = [tools for topic, tools in applier.broker.shape() if topic == TOPICS.versions]
    assert together == [["a"], ["a", "b"], ["b", "a"], ["b"]]
    assert applier.broker.activations("a") == applier.broker.activations("b") == [1, 2, 3]


async def test_each_change_of_a_tool_has_its_activation(applier: Applier) -> None:
    await applier.deploy(*(deployment(code, tool) for code in "xyz" for tool in "ab"))
    assert applier.broker.activations("a") == applier.broker.activations("b") == [1, 2, 3]
    await applier.roll_back(*(command(tool) for tool in "aabba"))
    assert [(each.tool_name, each.to_version_number) for each in applier.broker.rolled_back()] == [
        *(("a", 2), ("a", 1), ("b", 2), ("b", 1), ("a", None)),
    ]
    assert applier.broker.activations("a") == applier.broker.activations("b") == [1, 2, 3, 4, 5]


async def test_a_group_has_a_limit(applier: Applier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply_changes, "AT_ONCE", 2)
    await applier.deploy(*(deployment("one", tool) for tool in "abcde"))
    together = [tools for topic, tools in applier.broker.shape() if topic == TOPICS.versions]
    assert together == [["a", "b"], ["c", "d"], ["e"]]


async def test_what_takes_long_to_compare_is_applied_and_done_before_the_rest(
    applier: Applier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apply_deployments, "COMPARE_GROUP_S", -1.0)
    wishes = batch(TOPICS.deployments, *(deployment("one", tool) for tool in "abc"))
    done: list[int] = []
    wishes.mark_done = lambda _, offset: done.append(offset)
    await applier.deployments.handle(wishes)
    together = [tools for topic, tools in applier.broker.shape() if topic == TOPICS.versions]
    assert together == [["a"], ["b"], ["c"]]
    assert done == [0, 1, 2]


async def test_a_bad_record_keeps_its_place(applier: Applier) -> None:
    good, same = deployment("one", "a"), uuid4()
    bad = b'{"tool_name": "bad", "deployment_id": "%s"}' % str(same).encode()
    await applier.deploy(good, bad, deployment("two", "b", deployment_id=same), b"{")
    assert [topic for topic, _ in applier.broker.shape()] == [
        *(TOPICS.executions, TOPICS.versions, TOPICS.deployment_outcomes),
        *(TOPICS.dead_letters, TOPICS.deployment_outcomes),
        *(TOPICS.deployment_outcomes, TOPICS.dead_letters),
    ]
    # its id was refused first
    assert [each.status for each in applier.broker.deployed()] == ["created", "refused", "refused"]


async def test_a_member_that_has_to_wait_holds_up_nobody_in_front(
    applier: Applier, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "LOCK_TIMEOUT_MS", 50)
    async with pool.acquire() as other:
        async with tool_lock(other, "b"):
            deploying = asyncio.create_task(
                applier.deploy(*(deployment("one", tool) for tool in "abc"))
            )
            async with asyncio.timeout(20):
                while not applier.waits.now():
                    await asyncio.sleep(0.02)
            assert [each.tool_name for each in applier.broker.deployed()] == ["a"]
        await asyncio.wait_for(deploying, 20)
    assert [each.tool_name for each in applier.broker.deployed()] == ["a", "b", "c"]
    assert applier.waits.now() == ()


async def test_a_poisoned_member_is_the_only_one_to_fail(
    applier: Applier, conn: Connection
) -> None:
    """A bug of ours ends the worker, as ever; what stood in front of it is done, and published."""
    await conn.execute(
        "create function fail() returns trigger language plpgsql as"
        " $$ begin raise exception 'poison'; end $$"
    )
    await conn.execute(
        "create trigger poison before insert on tool_versions for each row"
        " when (new.tool_name = 'c') execute function fail()"
    )
    wishes = [deployment("one", tool) for tool in "abcd"]
    with pytest.raises(asyncpg.RaiseError, match="poison"):
        await applier.deploy(*wishes)
    assert [each.tool_name for each in applier.broker.deployed()] == ["a", "b"]
    assert await current_version(conn, "d") is None

    await conn.execute("drop trigger poison on tool_versions")
    before = applier.broker.of(TOPICS.deployment_outcomes)
    await applier.deploy(*wishes)  # the batch again, by the worker that is started next
    assert applier.broker.of(TOPICS.deployment_outcomes)[2:4] == before
    assert [each.tool_name for each in applier.broker.deployed()[2:]] == list("abcd")
    assert applier.broker.activations("a") == [1, 1]
    assert applier.broker.activations("d") == [1]


async def test_what_was_replaced_is_what_was_compared_with(
    applier: Applier, conn: Connection
) -> None:
    """A comparison holds up no rollback, not even of its tool; after one it is made once more."""
    for tool in "ab":
        await deploy_all(conn, "one", "two", tool=tool)

    async def back() -> None:
        await applier.roll_back(command("a"))
        assert applier.broker.rolled_back()[0].status == "applied"

    applier.comparer.meanwhile = back
    await applier.deploy(*(deployment("three", tool) for tool in "ab"))
    assert applier.comparer.asked == [("two", "three"), ("two", "three"), ("one", "three")]
    _, *versions = map(ToolVersion.from_bytes, applier.broker.of(TOPICS.versions))
    assert [each.breaking_changes for each in versions] == [["one to three"], ["two to three"]]
    assert versions[0].previous_version_id == 1


async def test_an_id_that_another_tool_has_used_changes_nothing(applier: Applier) -> None:
    first = deployment("one", "a")
    await applier.deploy(first, deployment("one", "b", deployment_id=first.deployment_id))
    outcomes = applier.broker.of(TOPICS.deployment_outcomes)
    assert len(set(outcomes)) == 1
    assert applier.broker.activations("b") == []
