"""The applier on a real Postgres: groups, how they fail, and the order of what is published."""

from uuid import uuid4

import asyncpg
import pytest

from agents.applier import apply_changes
from db.postgres.pool import Connection, Pool
from db.versions.reading import current_version
from schemas.deployment import ToolVersion
from tests.support.inputs.stored import command, deploy_all, deployment
from tests.support.systems.applier import TOPICS, Applier, batch


@pytest.fixture
def applier(pool: Pool) -> Applier:
    return Applier(pool)


async def test_a_group_shares_its_acknowledgements(applier: Applier) -> None:
    requests = [deployment("one", tool) for tool in "abc"]
    await applier.deploy(*requests)
    together = list("abc")
    assert applier.broker.shape() == [
        (TOPICS.executions, together),
        (TOPICS.versions, together),
        (TOPICS.deployment_outcomes, together),
    ]
    assert [each.deployment_id for each in applier.broker.deployed()] == [
        each.deployment_id for each in requests
    ]
    # A replay publishes the current version again; an unchanged deployment only has an outcome.
    await applier.deploy(requests[0], deployment("one", "b"))
    assert applier.broker.shape()[3:] == [
        (TOPICS.executions, ["a"]),
        (TOPICS.versions, ["a"]),
        (TOPICS.deployment_outcomes, ["a", "b"]),
    ]
    first, *_, again, _ = applier.broker.of(TOPICS.deployment_outcomes)
    assert again == first


async def test_a_second_record_of_a_tool_begins_another_group(applier: Applier) -> None:
    requests = [("1", "a"), ("2", "a"), ("1", "b"), ("2", "b"), ("3", "a"), ("3", "b")]
    await applier.deploy(*(deployment(code, tool) for code, tool in requests))
    together = [tools for topic, tools in applier.broker.shape() if topic == TOPICS.versions]
    assert together == [["a"], ["a", "b"], ["b", "a"], ["b"]]
    assert applier.broker.activations("a") == applier.broker.activations("b") == [1, 2, 3]


async def test_each_change_of_a_tool_has_an_activation(applier: Applier) -> None:
    await applier.deploy(*(deployment(code, tool) for code in "xyz" for tool in "ab"))
    assert applier.broker.activations("a") == applier.broker.activations("b") == [1, 2, 3]
    await applier.roll_back(*(command(tool) for tool in "aabba"))
    assert [(each.tool_name, each.to_version_number) for each in applier.broker.rolled_back()] == [
        *(("a", 2), ("a", 1), ("b", 2), ("b", 1), ("a", None)),
    ]
    assert applier.broker.activations("a") == applier.broker.activations("b") == [1, 2, 3, 4, 5]


async def test_a_group_has_a_limit(applier: Applier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply_changes, "MAX_GROUP", 2)
    await applier.deploy(*(deployment("one", tool) for tool in "abcde"))
    together = [tools for topic, tools in applier.broker.shape() if topic == TOPICS.versions]
    assert together == [["a", "b"], ["c", "d"], ["e"]]


async def test_records_around_a_bad_record_are_applied_in_order(applier: Applier) -> None:
    good, same = deployment("one", "a"), uuid4()
    bad = b'{"tool_name": "bad", "deployment_id": "%s"}' % str(same).encode()
    await applier.deploy(good, bad, deployment("two", "b", deployment_id=same), b"{")
    assert [topic for topic, _ in applier.broker.shape()] == [
        *(TOPICS.executions, TOPICS.versions, TOPICS.deployment_outcomes),
        *(TOPICS.dead_letters, TOPICS.deployment_outcomes),
        *(TOPICS.executions, TOPICS.versions, TOPICS.deployment_outcomes, TOPICS.dead_letters),
    ]
    # A bad record does not use up its id.
    assert [each.status for each in applier.broker.deployed()] == ["created", "refused", "created"]


async def test_if_a_member_fails_the_members_before_it_are_applied(
    applier: Applier, conn: Connection
) -> None:
    """An error that is no Retryable ends the worker; the next worker reads the batch again."""
    await conn.execute(
        "create function fail() returns trigger language plpgsql as"
        " $$ begin raise exception 'poison'; end $$"
    )
    await conn.execute(
        "create trigger poison before insert on tool_versions for each row"
        " when (new.tool_name = 'c') execute function fail()"
    )
    requests = [deployment("one", tool) for tool in "abcd"]
    with pytest.raises(asyncpg.RaiseError, match="poison"):
        await applier.deploy(*requests)
    assert [each.tool_name for each in applier.broker.deployed()] == ["a", "b"]
    assert await current_version(conn, "d") is None

    await conn.execute("drop trigger poison on tool_versions")
    before = applier.broker.of(TOPICS.deployment_outcomes)
    await applier.deploy(*requests)  # as the next worker does
    assert applier.broker.of(TOPICS.deployment_outcomes)[2:4] == before
    assert [each.tool_name for each in applier.broker.deployed()[2:]] == list("abcd")
    assert applier.broker.activations("a") == [1, 1]
    assert applier.broker.activations("d") == [1]


async def test_code_is_compared_with_the_version_that_is_replaced(
    applier: Applier, conn: Connection
) -> None:
    """A rollback does not wait for a comparison of its tool; the code is then compared again.

    Nothing is compared under the locks, so no other tool waits for it.
    """
    for tool in "ab":
        await deploy_all(conn, "one", "two", tool=tool)

    async def roll_back_a() -> None:
        await applier.roll_back(command("a"))
        assert applier.broker.rolled_back()[0].status == "applied"

    applier.comparer.meanwhile = roll_back_a
    await applier.deploy(*(deployment("three", tool) for tool in "ab"))
    assert applier.comparer.asked == [("two", "three"), ("one", "three")]
    _, *versions = map(ToolVersion.from_bytes, applier.broker.of(TOPICS.versions))
    assert [each.tool_name for each in versions] == ["b", "a"]
    assert [each.breaking_changes for each in versions] == [["two to three"], ["one to three"]]
    assert versions[1].previous_version_id == 1


async def test_a_bad_deployment_is_refused_each_time_alike(
    applier: Applier, pool: Pool, conn: Connection
) -> None:
    same = uuid4()
    bad = b'{"tool_name": "a\\u0000b", "deployment_id": "%s"}' % str(same).encode()
    await applier.deploy(bad)
    [outcome] = applier.broker.deployed()
    assert (outcome.deployment_id, outcome.tool_name, outcome.status) == (
        same,
        "a\u2400b",
        "refused",
    )
    await Applier(pool, applier.broker).deploy(bad)
    assert applier.broker.deployed() == [outcome, outcome]
    assert await conn.fetchval("select count(*) from deployments") == 0


@pytest.mark.parametrize("at_ms", [-(2**63), 2**63 - 1])
async def test_a_time_that_a_producer_wrote_stops_no_refusal(applier: Applier, at_ms: int) -> None:
    bad = batch(TOPICS.deployments, b'{"deployment_id": "%s"}' % str(uuid4()).encode())
    bad.records[0].timestamp = at_ms
    await applier.deployments.handle(bad)
    assert [each.status for each in applier.broker.deployed()] == ["refused"]


async def test_a_deployment_id_that_another_tool_used_first_changes_nothing(
    applier: Applier,
) -> None:
    first = deployment("one", "evil")
    await applier.deploy(first, deployment("one", "b", deployment_id=first.deployment_id))
    assert [(each.tool_name, each.status) for each in applier.broker.deployed()] == [
        ("evil", "created"),
        ("b", "created"),
    ]
    assert applier.broker.activations("b") == [1]
