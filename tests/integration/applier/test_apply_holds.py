"""The applier and held rollbacks: what is published, and what is published again after a crash."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry

from db.postgres.pool import Connection, Pool
from db.rollbacks.records import rollback_of
from schemas.errors import Retryable
from schemas.rollback import RollbackCommand
from streams.driver.outbox import Outgoing
from tests.support.inputs.stored import answer, command, deploy_all, let_expire
from tests.support.systems.applier import TOPICS, Applier, Broker, expire_holds

YES = {"approved_by": "ann"}
NO = {"dismissed_by": "ben", "dismissal": "the test"}


class FailingBroker(Broker):
    """A broker that fails when outcomes of rollbacks are published, ``times`` times."""

    def __init__(self, times: int, stores: bool) -> None:
        super().__init__()
        self.times = times
        self.stores = stores
        """Whether it stores the messages that it does not acknowledge."""

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        fails = self.times > 0 and any(each.topic == TOPICS.outcomes for each in messages)
        if self.stores or not fails:
            await super().publish(messages)
        if fails:
            self.times -= 1
            raise Retryable("Kafka", "went away")


@pytest.fixture
def applier(pool: Pool) -> Applier:
    return Applier(pool)


def held_command(tool: str = "parser", **fields: Any) -> RollbackCommand:
    given = {"tier": "fast", "reason": "regression", "mode": "hold"}
    return command(tool, **(given | fields))


def results(broker: Broker) -> list[str]:
    """Return the rejection of each outcome, or its status."""
    return [each.rejection or each.status for each in broker.rolled_back()]


def count_of(registry: CollectorRegistry, status: str, rejection: str) -> float | None:
    labels = {"status": status, "rejection": rejection, "reason": "regression"}
    return registry.get_sample_value("rollguard_rollbacks_total", labels)


async def test_commands_and_answers_are_applied_in_the_order_of_the_topic(
    applier: Applier, conn: Connection
) -> None:
    for tool in "abc":
        await deploy_all(conn, "one", "two", tool=tool)
    held = {tool: held_command(tool) for tool in "abc"}
    batch = [
        *held.values(),
        *(answer(held["a"], YES), answer(held["b"], NO), answer(held["a"], NO)),
    ]
    await applier.roll_back(*batch, held_command("c", mode="observe"))
    assert results(applier.broker) == [
        *("held", "held", "held"),
        *("applied", "dismissed"),
        *("applied", "observed"),
    ]
    assert applier.broker.activations("a") == [3, 3]
    assert applier.broker.activations("b") == [2]  # says that the command was dismissed
    assert applier.broker.activations("c") == []

    # After a crash the next worker reads the batch again: each command has its last outcome.
    before = {each.command_id: each.to_bytes() for each in applier.broker.rolled_back()}
    applier.broker.published.clear()
    await applier.roll_back(*batch)
    assert {each.to_bytes() for each in applier.broker.rolled_back()} == {
        before[each.command_id] for each in held.values()
    }


async def test_an_approval_is_published_again_if_its_outcome_was_not_acknowledged(
    pool: Pool, conn: Connection
) -> None:
    await deploy_all(conn, "one", "two")
    held = held_command()
    await Applier(pool).roll_back(held)
    broker = FailingBroker(times=1, stores=False)
    await Applier(pool, broker).roll_back(answer(held, YES))
    [outcome] = broker.rolled_back()
    assert (outcome.status, outcome.to_version_number) == ("applied", 1)
    assert broker.activations("parser") == [3, 3], "it was committed before, and is published again"


async def test_a_hold_that_nobody_answers_expires(
    pool: Pool, conn: Connection, applier: Applier
) -> None:
    """A crash between publishing and storing publishes the same outcome again."""
    held = {tool: held_command(tool) for tool in "ab"}
    for tool in held:
        await deploy_all(conn, "one", "two", tool=tool)
    await applier.roll_back(*held.values())
    broker: Any = FailingBroker(times=1, stores=True)
    registry = CollectorRegistry()
    holds = expire_holds(pool, broker, registry)
    assert await holds.expire() == 0
    await let_expire(conn, held["a"])
    with pytest.raises(Retryable):
        await holds.expire()
    record = await rollback_of(conn, held["a"].key)
    assert record is not None
    assert record.status == "held"
    with structlog.testing.capture_logs() as logs:
        assert await holds.expire() == 1
        assert await holds.expire() == 0
    assert results(broker) == ["expired", "expired"]
    assert len(set(broker.of(TOPICS.outcomes))) == 1
    assert [(each["tool"], each["rejection"]) for each in logs if each["event"] == "rollback"] == [
        ("a", "expired")
    ]
    assert count_of(registry, "rejected", "expired") == 1

    applier.broker.published.clear()
    await applier.roll_back(answer(held["a"], YES), answer(held["b"], YES))
    assert applier.broker.of(TOPICS.outcomes)[0] == broker.of(TOPICS.outcomes)[0]
    assert results(applier.broker) == ["expired", "applied"]


async def test_several_appliers_publish_the_expiry_once(
    pool: Pool, conn: Connection, applier: Applier
) -> None:
    held = [held_command(tool) for tool in "abcdef"]
    for each in held:
        await deploy_all(conn, "one", "two", tool=each.tool_name)
        await applier.roll_back(each)
        await let_expire(conn, each)
    broker: Any = Broker()
    holds = [expire_holds(pool, broker, CollectorRegistry()) for _ in range(4)]
    done = await asyncio.gather(*(each.expire() for each in holds))
    assert sum(done) == len(broker.of(TOPICS.outcomes)) == 6


async def test_outcomes_are_logged_and_count_of(applier: Applier, conn: Connection) -> None:
    await deploy_all(conn, "one", "two")
    held = held_command()
    with structlog.testing.capture_logs() as logs:
        await applier.roll_back(held, answer(held, NO), held_command(mode="observe"))
    logged = [each for each in logs if each["event"] == "rollback"]
    assert [(each["log_level"], each["status"], each["dismissed_by"]) for each in logged] == [
        ("warning", "held", None),
        ("info", "rejected", "ben"),
        ("info", "observed", None),
    ]
    for status, rejection in (("held", ""), ("rejected", "dismissed"), ("observed", "")):
        assert count_of(applier.registry, status, rejection) == 1, status
    assert count_of(applier.registry, "applied", "") == 0
