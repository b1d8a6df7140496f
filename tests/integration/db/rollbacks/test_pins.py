"""Pins: what they stop, and for how long."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from db.postgres.pool import Connection, connect
from db.rollbacks.pins import Pin, pin, pins, unpin
from db.versions.reading import current_version
from tests.support.stored import (
    automatic,
    command,
    deploy,
    deploy_all,
    deployment,
    roll_back,
    trusted,
)


@pytest.fixture
async def conn(database_dsn: str) -> AsyncIterator[Connection]:
    conn = await connect(database_dsn)
    yield conn
    await conn.close()


def hours(count: float) -> datetime:
    return datetime.now(UTC) + timedelta(hours=count)


async def test_no_machine_rolls_a_pinned_tool_back(conn: Connection) -> None:
    for tool in ("parser", "other"):
        await deploy_all(conn, "one", "two", tool=tool)
    await pin(conn, "parser", "release", "ann", None)
    outcome = await automatic(conn)
    assert (outcome.status, outcome.rejection) == ("rejected", "pinned")
    assert await trusted(conn) == [True, True]
    assert (await automatic(conn, "other")).status == "applied"

    assert (await roll_back(conn, command())).status == "applied", "a person may"
    assert (await deploy(conn, deployment("three"))).status == "created"
    assert (await automatic(conn)).rejection == "pinned"
    assert await unpin(conn, "parser") is not None
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
    await pin(conn, "parser", "release", "ann", None)
    assert (await automatic(conn, **fields)).rejection == rejection


async def test_it_ends(conn: Connection) -> None:
    await deploy_all(conn, "one", "two")
    await pin(conn, "parser", "release", "ann", hours(-0.001))
    assert await pins(conn, ["parser"]) == {}
    assert await unpin(conn, "parser") is None
    assert (await automatic(conn)).status == "applied"
    await deploy_all(conn, "three")
    await pin(conn, "parser", "release", "ann", hours(1))
    assert (await automatic(conn)).rejection == "pinned"


async def test_the_newest_is_in_force(conn: Connection) -> None:
    await deploy_all(conn, "one")
    until = hours(2)
    first = await pin(conn, "parser", "release", "ann", None)
    assert first is not None
    second = await pin(conn, "parser", "holidays", "ben", until)
    assert second is not None
    assert second == Pin(
        tool_name="parser",
        reason="holidays",
        pinned_by="ben",
        pinned_at=second.pinned_at,
        expires_at=until,
    )
    assert second.pinned_at > first.pinned_at
    assert await pins(conn, ["parser", "other"]) == {"parser": second}
    assert await unpin(conn, "parser") == second
    assert await unpin(conn, "parser") is None
    assert await pins(conn, []) == await pins(conn, ["parser"]) == {}


async def test_what_has_no_versions_cannot_be_pinned(conn: Connection) -> None:
    assert await pin(conn, "parser", "release", "ann", None) is None
    assert await pins(conn, ["parser"]) == {}
    assert await current_version(conn, "parser") is None
