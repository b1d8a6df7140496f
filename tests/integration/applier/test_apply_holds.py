"""The applier and decisions that wait for a person: what is published, once more after a crash."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry

from agents.applier.expire_holds import ExpireHolds
from agents.applier.rollback_report import RollbackReport
from db.postgres.pool import Connection, Pool
from db.rollbacks.records import rollback_by_id
from schemas.errors import Retryable
from schemas.rollback import RollbackCommand
from streams.driver.outbox import Outgoing
from tests.support.applier import TOPICS, Applier, Broker
from tests.support.stored import answer, command, deploy_all, let_expire

YES = {"approved_by": "ann"}
NO = {"dismissed_by": "ben", "dismissal": "the test"}


class FailingBroker(Broker):
    """Goes away when it is to acknowledge outcomes of rollbacks, so many times."""

    def __init__(self, times: int, told: bool) -> None:
        super().__init__()
        self.times = times
        self.told = told
        """Whether what is not acknowledged has arrived."""

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        fails = self.times > 0 and any(each.topic == TOPICS.outcomes for each in messages)
        if self.told or not fails:
            await super().publish(messages)
        if fails:
            self.times -= 1
            raise Retryable("Kafka", "went away")


@pytest.fixture
def applier(pool: Pool) -> Applier:
    return Applier(pool)


def order(tool: str = "parser", **fields: Any) -> RollbackCommand:
    given = {"tier": "fast", "reason": "regression", "mode": "hold"}
    return command(tool, **(given | fields))


def came(broker: Broker) -> list[str]:
    return [each.rejection or each.status for each in broker.rolled_back()]


def counted(registry: CollectorRegistry, status: str, rejection: str) -> float | None:
    labels = {"status": status, "rejection": rejection, "reason": "regression"}
    return registry.get_sample_value("rollguard_rollbacks_total", labels)


async def test_in_the_order_of_the_topic(applier: Applier, conn: Connection) -> None:
    for tool in "abc":
        await deploy_all(conn, "one", "two", tool=tool)
    held = {tool: order(tool) for tool in "abc"}
    batch = [
        *held.values(),
        *(answer(held["a"], YES), answer(held["b"], NO), answer(held["a"], NO)),
    ]
    await applier.roll_back(*batch, order("c", mode="observe"))
    assert came(applier.broker) == [
        *("held", "held", "held"),
        *("applied", "dismissed"),
        *("applied", "observed"),
    ]
    assert applier.broker.activations("a") == [3, 3]
    assert applier.broker.activations("b") == applier.broker.activations("c") == []

    # the batch again, by whoever comes after a crash: each command has its last outcome
    before = {each.command_id: each.to_bytes() for each in applier.broker.rolled_back()}
    applier.broker.published.clear()
    await applier.roll_back(*batch)
    assert {each.to_bytes() for each in applier.broker.rolled_back()} == {
        before[each.command_id] for each in held.values()
    }


async def test_an_approval_whose_outcome_was_not_published(pool: Pool, conn: Connection) -> None:
    await deploy_all(conn, "one", "two")
    held = order()
    await Applier(pool).roll_back(held)
    broker = FailingBroker(times=1, told=False)
    await Applier(pool, broker).roll_back(answer(held, YES))
    [outcome] = broker.rolled_back()
    assert (outcome.status, outcome.to_version_number) == ("applied", 1)
    assert broker.activations("parser") == [3, 3], "it was committed, and published again"


async def test_what_nobody_answers(pool: Pool, conn: Connection, applier: Applier) -> None:
    """Also where it is published and a crash comes before it is stored: the same once more."""
    held = {tool: order(tool) for tool in "ab"}
    for tool in held:
        await deploy_all(conn, "one", "two", tool=tool)
    await applier.roll_back(*held.values())
    broker: Any = FailingBroker(times=1, told=True)
    registry = CollectorRegistry()
    holds = ExpireHolds(pool, broker, TOPICS, RollbackReport(registry))
    assert await holds.expire() == 0
    await let_expire(conn, held["a"])
    with pytest.raises(Retryable):
        await holds.expire()
    record = await rollback_by_id(conn, held["a"].command_id)
    assert record is not None
    assert record.status == "held"
    with structlog.testing.capture_logs() as logs:
        assert await holds.expire() == 1
        assert await holds.expire() == 0
    assert came(broker) == ["expired", "expired"]
    assert len(set(broker.of(TOPICS.outcomes))) == 1
    assert [(each["tool"], each["rejection"]) for each in logs if each["event"] == "rollback"] == [
        ("a", "expired")
    ]
    assert counted(registry, "rejected", "expired") == 1

    applier.broker.published.clear()
    await applier.roll_back(answer(held["a"], YES), answer(held["b"], YES))
    assert applier.broker.of(TOPICS.outcomes)[0] == broker.of(TOPICS.outcomes)[0]
    assert came(applier.broker) == ["expired", "applied"]


async def test_several_appliers_say_it_once(pool: Pool, conn: Connection, applier: Applier) -> None:
    held = [order(tool) for tool in "abcdef"]
    for each in held:
        await deploy_all(conn, "one", "two", tool=each.tool_name)
        await applier.roll_back(each)
        await let_expire(conn, each)
    broker: Any = Broker()
    report = RollbackReport(CollectorRegistry())
    holds = [ExpireHolds(pool, broker, TOPICS, report) for _ in range(4)]
    done = await asyncio.gather(*(each.expire() for each in holds))
    assert sum(done) == len(broker.of(TOPICS.outcomes)) == 6


async def test_the_log_and_the_metrics_say_what_came_of_it(
    applier: Applier, conn: Connection
) -> None:
    await deploy_all(conn, "one", "two")
    held = order()
    with structlog.testing.capture_logs() as logs:
        await applier.roll_back(held, answer(held, NO), order(mode="observe"))
    told = [each for each in logs if each["event"] == "rollback"]
    assert [(each["log_level"], each["status"], each["dismissed_by"]) for each in told] == [
        ("warning", "held", None),
        ("info", "rejected", "ben"),
        ("info", "observed", None),
    ]
    for status, rejection in (("held", ""), ("rejected", "dismissed"), ("observed", "")):
        assert counted(applier.registry, status, rejection) == 1, status
    assert counted(applier.registry, "applied", "") is None
