"""The applier and its gate: deployments that are held or refused, and what becomes of held ones."""

from collections.abc import Sequence
from datetime import timedelta
from random import Random
from typing import Any
from unittest.mock import Mock
from uuid import UUID

import pytest
import structlog
from prometheus_client import CollectorRegistry

from agents.applier.expire_holds import ExpireHolds
from db.postgres.pool import Connection, Pool
from db.stops.changing import NewStop, begin
from db.versions.held import HeldDeployment, held_deployments, holds_of_tool
from db.versions.reading import current_version, history
from rollguard.operations.dead_letters.replay_checks import require_effect
from schemas.deployment import Check, Deployment, DeploymentOutcome, code_hash_of
from schemas.errors import Rejected, Retryable
from schemas.rules.rules import Rules
from schemas.settings import Settings
from streams.driver.outbox import Outgoing
from tests.support.inputs.stored import NOW, begin_stop, command, deployment, end_stop
from tests.support.systems.applier import TOPICS, Applier, Broker, expire_holds

LATER = NOW + timedelta(hours=1)
YES = {"approved_by": "ann"}
NO = {"dismissed_by": "ben", "dismissal": "not now"}
HOLD = Settings(partitions=1, rules=Rules(gate="hold"), tools={"strict": {"gate": "refuse"}})
FAILED = [Check(name="smoke", ok=False, detail="no answer")]


class FailingBroker(Broker):
    """A broker that fails once, when outcomes of deployments are published."""

    def __init__(self, stores: bool) -> None:
        super().__init__()
        self.fails = True
        self.stores = stores

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        fails = self.fails and any(each.topic == TOPICS.deployment_outcomes for each in messages)
        if self.stores or not fails:
            await super().publish(messages)
        if fails:
            self.fails = False
            raise Retryable("Kafka", "went away")


@pytest.fixture
def applier(pool: Pool) -> Applier:
    return Applier(pool, settings=HOLD)


def by_machine(code: str, tool: str = "parser", **fields: Any) -> Deployment:
    return deployment(code, tool, **({"created_by": "autonomous", "checks": FAILED} | fields))


def answer(held: Deployment, fields: dict[str, str], **more: Any) -> Deployment:
    return held.model_copy(update={"deployed_at": LATER} | fields | more)


def results(broker: Broker) -> list[str]:
    """Return the refusal of each outcome, or its status."""
    return [each.refusal or each.status for each in broker.deployed()]


async def current_code(conn: Connection, tool: str = "parser") -> str | None:
    version = await current_version(conn, tool)
    return None if version is None else version.code


async def waiting(conn: Connection) -> list[UUID]:
    return [each.deployment_id for each in await held_deployments(conn, None)]


async def hold_of(conn: Connection, held: Deployment) -> HeldDeployment:
    found = await holds_of_tool(conn, held.tool_name, 100)
    [hold] = [each for each in found if each.deployment_id == held.deployment_id]
    return hold


async def let_expire(conn: Connection, held: Deployment) -> None:
    await conn.execute(
        "update held_deployments set expires_at = clock_timestamp() - interval '1 minute'"
        " where deployment_id = $1",
        held.deployment_id,
    )


def expiry(pool: Pool, broker: Any) -> ExpireHolds:
    return expire_holds(pool, broker, CollectorRegistry())


async def test_what_findings_speak_against_is_held_or_refused(
    applier: Applier, conn: Connection
) -> None:
    first = deployment("one", checks=FAILED)
    held, strict = by_machine("two"), by_machine("two", "strict")
    with structlog.testing.capture_logs() as logs:
        await applier.deploy(first, held, strict, by_machine("one"), by_machine("3", checks=[]))
    assert results(applier.broker) == [
        *("created", "held", "gate"),  # what a person deploys is not stopped
        "unchanged",  # nothing new would run, and what waits still does
        *("superseded", "created"),
    ]
    _, of_held, of_strict, *_ = applier.broker.deployed()
    assert of_held.findings == of_strict.findings == ["The check 'smoke' failed: no answer"]
    assert (of_held.version_id, of_strict.version_id) == (None, None)
    assert [each["log_level"] for each in logs if each["event"] == "deployment"] == [
        *("info", "warning", "info", "info"),
        *("info", "info"),  # the superseded one, too
    ]
    assert await current_code(conn) == "3"
    assert await current_code(conn, "strict") is None
    versions = await history(conn, "parser", 10)
    assert [each.checks for each in versions] == [[], FAILED]
    assert applier.broker.activations("parser") == [1, 2]


async def test_breaks_that_are_not_accepted_are_held(applier: Applier, conn: Connection) -> None:
    applier.comparer.kind = "parameter_removed"
    one, two = by_machine("one", checks=None), by_machine("two", checks=None)
    accepted = [{"kind": "parameter_removed", "reason": "nobody uses it"}]
    three = by_machine("three", checks=None, accepted_breaks=accepted)
    await applier.deploy(deployment("zero"), one, two, three)
    assert results(applier.broker) == [
        *("created", "held"),
        *("superseded", "held"),
        *("superseded", "created"),
    ]
    assert applier.broker.deployed()[1].findings == ["zero to one"]
    [version, _] = await history(conn, "parser", 10)
    assert (version.code, version.is_breaking_change) == ("three", True)


async def test_an_approved_deployment_becomes_the_version_that_it_would_have_been(
    applier: Applier, conn: Connection
) -> None:
    applier.comparer.kind = "parameter_removed"
    held = by_machine("two", improvement_reason="faster")
    await applier.deploy(deployment("one"), held)
    assert await waiting(conn) == [held.deployment_id]
    applier.broker.published.clear()
    wrong = {"improvement_type": "other", "created_by": "human", "checks": None}
    await applier.deploy(answer(held, YES, **wrong))
    [outcome] = applier.broker.deployed()
    assert (outcome.status, outcome.version_number, outcome.breaking_changes) == (
        *("created", 2),
        ["one to two"],
    )
    assert applier.broker.activations("parser") == [2]
    version = await current_version(conn, "parser")
    assert version is not None
    assert (version.code, version.created_by, version.improvement_type) == (
        *("two", "autonomous", "bug_fix"),
    )
    assert (version.improvement_reason, version.activated_at) == ("faster", LATER)
    [record, _] = await history(conn, "parser", 10)
    assert record.checks == FAILED
    assert record.hold is not None
    assert (record.hold.status, record.hold.approved_by) == ("approved", "ann")
    assert record.activations[0].began_at == outcome.applied_at, "current since the approval"
    assert await waiting(conn) == []

    # Whatever is sent again now has this outcome.
    applier.broker.published.clear()
    await applier.deploy(answer(held, NO), held, answer(held, YES))
    assert [each.to_bytes() for each in applier.broker.deployed()] == [outcome.to_bytes()] * 3


async def test_an_approval_is_compared_with_what_is_current_then(
    applier: Applier, conn: Connection
) -> None:
    held = by_machine("two")
    await applier.deploy(deployment("zero"), deployment("one"), held)
    versions = await history(conn, "parser", 2)
    await applier.roll_back(command(to_version_id=versions[1].version_id))
    assert await waiting(conn) == [held.deployment_id], "a rollback leaves what waits"
    await applier.deploy(answer(held, YES))
    assert applier.broker.deployed()[-1].breaking_changes == ["zero to two"]
    # If the code has become current meanwhile, there is nothing to make.
    again = by_machine("three")
    await applier.deploy(again)
    await conn.execute(
        "update tool_versions set code = 'three', code_hash = encode(sha256('three'), 'hex')"
        " where is_current"
    )
    await applier.deploy(answer(again, YES))
    assert results(applier.broker)[-2:] == ["held", "unchanged"]


async def test_a_dismissed_deployment_is_refused(applier: Applier, conn: Connection) -> None:
    held = by_machine("two")
    await applier.deploy(deployment("one"), held, answer(held, NO), answer(held, YES), held)
    assert results(applier.broker)[1:] == ["held", *["dismissed by ben: not now"] * 3]
    assert applier.broker.deployed()[-1].findings == ["The check 'smoke' failed: no answer"]
    assert await current_code(conn) == "one"
    hold = await hold_of(conn, held)
    assert (hold.status, hold.dismissed_by, hold.dismissal) == ("dismissed", "ben", "not now")
    assert await conn.fetchval("select count(code) from held_deployments") == 0


async def test_a_person_approves_in_spite_of_a_freeze_but_not_rejected_code(
    applier: Applier, conn: Connection
) -> None:
    held, other = by_machine("two"), by_machine("three")
    await applier.deploy(deployment("one"), held)
    await begin_stop(conn, "freeze")
    await applier.deploy(by_machine("two"), answer(by_machine("9"), YES), answer(held, YES))
    assert results(applier.broker)[1:] == ["held", "frozen", "not_held", "created"]
    await end_stop(conn, "freeze")
    await applier.deploy(other)
    await begin_stop(conn, "freeze")
    code_hash, version_id = code_hash_of("three"), 1
    await begin(
        conn,
        NewStop(
            *("rejection", "parser", "it is wrong", "ann"),
            version_id=version_id,
            code_hash=code_hash,
        ),
    )
    await applier.deploy(answer(other, YES))
    assert results(applier.broker)[-2:] == ["held", "rejected"]
    assert await current_code(conn) == "two"
    assert (await hold_of(conn, other)).status == "approved"
    dismissed = by_machine("four")
    await end_stop(conn, "freeze")
    await applier.deploy(dismissed)
    await begin_stop(conn, "freeze")
    await applier.deploy(answer(dismissed, NO))
    assert results(applier.broker)[-1] == "dismissed by ben: not now"


async def test_an_answer_to_what_does_not_wait_makes_no_version(
    applier: Applier, conn: Connection
) -> None:
    held, never, created = by_machine("two"), by_machine("9"), deployment("one")
    other_code = answer(held, YES, code="evil")
    await applier.deploy(created, held, other_code, answer(never, YES), answer(created, NO))
    assert results(applier.broker) == ["created", "held", "held", "not_held", "created"]
    assert await current_code(conn) == "one"
    assert await waiting(conn) == [held.deployment_id]
    await applier.deploy(answer(held, YES, tool_name="other"), never)
    assert results(applier.broker)[-2:] == ["not_held", "not_held"], "the id is used up"
    bad = answer(held, NO).to_bytes().replace(b'"code":"two"', b'"code":2')
    await applier.deploy(bad)
    assert len(applier.broker.deployed()) == 7, "a bad answer has no outcome"


async def test_dead_letters_of_answers_and_of_what_waits_are_not_replayed(
    applier: Applier, conn: Connection
) -> None:
    held = by_machine("two")
    await applier.deploy(held)
    for message, why in ((answer(held, YES), "give it anew"), (held, "sent again and held")):
        with pytest.raises(Rejected, match=why):
            await require_effect(conn, Mock(), message)


async def test_a_newer_deployment_takes_the_place_of_the_held_one(
    pool: Pool, conn: Connection
) -> None:
    """Its outcome is published again with that of the newer one, if that was not acknowledged."""
    first, second, third = by_machine("two"), by_machine("three"), deployment("four")
    await Applier(pool, settings=HOLD).deploy(deployment("one"), first)
    for stores in (False, True):
        broker = FailingBroker(stores)
        newer = second if not stores else third
        await Applier(pool, broker, settings=HOLD).deploy(newer)
        assert results(broker) == ["superseded", "held" if not stores else "created"] * (1 + stores)
        assert len(set(broker.of(TOPICS.deployment_outcomes))) == 2
    assert (await hold_of(conn, first)).superseded_by == second.deployment_id
    assert (await hold_of(conn, second)).status == "superseded"
    assert await waiting(conn) == []
    assert await current_code(conn) == "four"
    applier = Applier(pool, settings=HOLD)
    await applier.deploy(answer(first, YES), second)
    assert results(applier.broker) == ["superseded"] * 3
    assert len(set(applier.broker.of(TOPICS.deployment_outcomes))) == 2
    assert await current_code(conn) == "four"


@pytest.mark.parametrize("fields", [YES, NO])
async def test_an_answer_is_published_again_if_its_outcome_was_not_acknowledged(
    pool: Pool, conn: Connection, fields: dict[str, str]
) -> None:
    held = by_machine("two")
    await Applier(pool, settings=HOLD).deploy(deployment("one"), held)
    broker = FailingBroker(stores=True)
    await Applier(pool, broker, settings=HOLD).deploy(answer(held, fields))
    assert len(broker.deployed()) == 2
    assert len(set(broker.of(TOPICS.deployment_outcomes))) == 1
    assert len(await history(conn, "parser", 10)) == (2 if fields is YES else 1)


async def test_a_held_deployment_that_nobody_answers_expires(pool: Pool, conn: Connection) -> None:
    """A crash between publishing and storing publishes the same outcome again."""
    held = {tool: by_machine("two", tool) for tool in "abcd"}
    await Applier(pool, settings=HOLD).deploy(*held.values())
    await let_expire(conn, held["a"])
    broker = FailingBroker(stores=True)
    with pytest.raises(Retryable):
        await expiry(pool, broker).expire()
    assert (await hold_of(conn, held["a"])).status == "held"
    assert await expiry(pool, broker).expire() == 1
    assert await expiry(pool, broker).expire() == 0
    assert len(set(broker.of(TOPICS.deployment_outcomes))) == 1
    assert results(broker) == ["expired", "expired"]

    # An answer, the deployment itself and a newer one find that its time is over, too.
    for tool in "bcd":
        await let_expire(conn, held[tool])
    applier = Applier(pool, settings=HOLD)
    newer = by_machine("three", "d")
    await applier.deploy(answer(held["b"], YES), held["c"], newer, newer)
    assert results(applier.broker) == ["expired", "expired", *["expired", "held"] * 2]
    assert await expiry(pool, broker).expire() == 0
    for tool in "abcd":
        hold = await hold_of(conn, held[tool])
        assert (hold.status, hold.ended_at) == ("expired", hold.expires_at)
    assert await waiting(conn) == [newer.deployment_id]


async def test_random_deployments_and_answers_agree_with_a_model(
    pool: Pool, conn: Connection
) -> None:
    """Each is sent twice at some later time: what it did the first time, nothing does again."""
    for seed in range(6):
        await _compare_with_model(pool, conn, Random(seed), f"tool-{seed}")


async def _compare_with_model(pool: Pool, conn: Connection, random: Random, tool: str) -> None:
    sent: list[Deployment] = []
    outcomes: dict[UUID, str] = {}
    held: Deployment | None = None
    current: str | None = None
    applier = Applier(pool, settings=HOLD)
    for step in range(40):
        action = random.choice(["new", "new", "again", "yes", "no", "expire"])
        if action == "expire":
            if held is not None:
                await let_expire(conn, held)
                outcomes[held.deployment_id], held = "expired", None
            continue
        if action == "new":
            author = random.choice(["human", "autonomous"])
            code, checks = random.choice("xyz"), random.choice([None, FAILED])
            request = by_machine(code, tool, created_by=author, checks=checks)
            sent.append(request)
            is_held = author == "autonomous" and checks == FAILED
            if code == current:
                outcomes[request.deployment_id] = "unchanged"
            else:
                if held is not None:
                    outcomes[held.deployment_id] = "superseded"
                held = request if is_held else None
                outcomes[request.deployment_id] = "held" if is_held else "created"
                current = current if is_held else code
        elif not sent:
            continue
        else:
            request = random.choice(sent[-3:])
            fields = {"again": {}, "yes": YES, "no": NO}[action]
            if fields and request is held:
                is_new = request.code != current
                yes = "created" if is_new else "unchanged"
                outcomes[request.deployment_id] = (
                    yes if action == "yes" else "dismissed by ben: not now"
                )
                held, current = None, request.code if action == "yes" else current
            request = answer(request, fields) if fields else request
        applier.broker.published.clear()
        await applier.deploy(request)
        last = applier.broker.deployed()[-1]
        assert last.deployment_id == request.deployment_id
        assert (last.refusal or last.status) == outcomes[last.deployment_id], step
        assert await current_code(conn, tool) == current, step
        expected = [] if held is None else [held.deployment_id]
        assert [each.deployment_id for each in await held_deployments(conn, tool)] == expected
    stored = await conn.fetch("select outcome::text from deployments where tool_name = $1", tool)
    found = [DeploymentOutcome.model_validate_json(each["outcome"]) for each in stored]
    finals = {each.deployment_id: each.refusal or each.status for each in found}
    late = {key for key in finals if (finals[key], outcomes[key]) == ("held", "expired")}
    assert finals | dict.fromkeys(late, "expired") == outcomes
