"""Pins: what they stop, and for how long."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from db.postgres.pool import Connection
from db.stops.reading import stops_of, stops_of_kind
from db.versions.listing import listed_tools
from db.versions.reading import current_version
from tests.support.inputs.stored import (
    automatic,
    begin_stop,
    command,
    deploy,
    deploy_all,
    deployment,
    end_stop,
    roll_back,
    trusted,
)


def hours(count: float) -> datetime:
    return datetime.now(UTC) + timedelta(hours=count)


async def test_no_machine_rolls_a_pinned_tool_back(conn: Connection) -> None:
    for tool in ("parser", "other"):
        await deploy_all(conn, "one", "two", tool=tool)
    await begin_stop(conn, "pin")
    outcome = await automatic(conn)
    assert (outcome.status, outcome.rejection) == ("rejected", "pinned")
    assert await trusted(conn) == [True, True]
    assert (await automatic(conn, "other")).status == "applied"

    assert (await roll_back(conn, command())).status == "applied", "a person may"
    assert (await deploy(conn, deployment("three"))).status == "created"
    by_machine = deployment("four", created_by="autonomous")
    assert (await deploy(conn, by_machine)).status == "created", "a pin stops rollbacks alone"
    assert (await automatic(conn)).rejection == "pinned"
    assert await end_stop(conn, "pin") is not None
    assert (await automatic(conn)).status == "applied"


@pytest.mark.parametrize(
    ("fields", "rejection"),
    [
        ({"to_version_id": 99}, "unknown_version"),
        ({"from_activation": 9}, "not_current"),
        ({"to_version_id": 1}, "already_current"),
        ({}, "pinned"),
    ],
)
async def test_its_position_in_the_order_of_rejections(
    conn: Connection, fields: dict[str, Any], rejection: str
) -> None:
    """It comes before `no_previous_version` and after all others."""
    await deploy_all(conn, "one")
    await begin_stop(conn, "pin")
    assert (await automatic(conn, **fields)).rejection == rejection


async def test_it_ends(conn: Connection) -> None:
    await deploy_all(conn, "one", "two")
    await begin_stop(conn, "pin", until=hours(-0.001))
    assert await stops_of_kind(conn, "pin", ["parser"]) == []
    assert await end_stop(conn, "pin") is None
    assert (await automatic(conn)).status == "applied"
    await deploy_all(conn, "three")
    await begin_stop(conn, "pin", until=hours(1))
    assert (await automatic(conn)).rejection == "pinned"


async def test_the_newest_is_in_force_and_the_others_are_remembered(conn: Connection) -> None:
    await deploy_all(conn, "one")
    first = await begin_stop(conn, "pin", until=hours(-1))
    second = await begin_stop(conn, "pin", reason="holidays", until=hours(2))
    third = await begin_stop(conn, "pin", reason="longer", by="cleo")
    assert first is not None
    assert second is not None
    assert third is not None
    assert first.began_at < second.began_at < third.began_at
    assert await stops_of_kind(conn, "pin", ["parser", "other"]) == [third]
    ended = await end_stop(conn, "pin")
    assert ended is not None
    assert await end_stop(conn, "pin") is None
    assert await stops_of(conn, "parser") == []

    found = await stops_of(conn, "parser", ended=True)
    assert [(each.reason, each.ended_how, each.ended_by) for each in found] == [
        ("longer", "removed", "ben"),
        ("holidays", "replaced", "cleo"),
        ("release", "expired", None),
    ]
    assert [each.ended_at for each in found] == [
        ended.ended_at,
        found[1].ended_at,
        first.expires_at,
    ]
    assert found[1].ended_at is not None
    assert second.began_at < found[1].ended_at <= third.began_at
    assert [each.expires_at for each in found] == [None, second.expires_at, first.expires_at]


async def test_what_has_expired_is_shown_as_ended(conn: Connection) -> None:
    await deploy_all(conn, "one")
    pinned = await begin_stop(conn, "pin", until=hours(-1))
    assert pinned is not None
    assert await stops_of(conn, "parser") == []
    [found] = await stops_of(conn, "parser", ended=True)
    assert (found.ended_at, found.ended_how) == (pinned.expires_at, "expired")


async def test_what_has_no_versions_cannot_be_pinned(conn: Connection) -> None:
    assert await begin_stop(conn, "pin") is None
    assert await stops_of(conn, "parser", ended=True) == []
    assert await current_version(conn, "parser") is None


async def test_all_tools_are_pinned_and_those_that_come_later(conn: Connection) -> None:
    await deploy_all(conn, "one", "two")
    await begin_stop(conn, "pin", None)
    await deploy_all(conn, "one", "two", tool="later")
    for tool in ("parser", "later"):
        assert (await automatic(conn, tool)).rejection == "pinned"
    assert [tool.pinned for tool in await listed_tools(conn)] == [True, True]
    await begin_stop(conn, "pin", "later", reason="mine")
    view = await conn.fetch("select tool_name, reason, pinned_by, expires_at from pins order by 1")
    assert [tuple(row) for row in view] == [
        ("later", "mine", "ann", None),
        ("parser", "release", "ann", None),
    ], "for readers of the table `pins` of before"
    assert await end_stop(conn, "pin", None) is not None
    assert (await automatic(conn)).status == "applied"
    assert (await automatic(conn, "later")).rejection == "pinned", "by its own pin"
