"""Trust: which code a rollback may return to, and which target a rollback without one gets."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from db.postgres.pool import Connection, connect
from db.postgres.sql import blocks
from db.rollbacks.trust import Target, WayBackFrom, ways_back
from db.versions.reading import current_version, version
from tests.support.inputs.stored import (
    automatic,
    command,
    deploy,
    deploy_all,
    deployment,
    execution,
    record_all,
    roll_back,
    trusted,
)

THE_FIRST = 1
"""The id of the first version in a new database."""


@pytest.fixture
async def conn(database_dsn: str) -> AsyncIterator[Connection]:
    conn = await connect(database_dsn)
    yield conn
    await conn.close()


async def autonomous(conn: Connection, *codes: str) -> None:
    for code in codes:
        await deploy(conn, deployment(code, created_by="autonomous"))


async def target_of(conn: Connection, tool: str, version_id: int) -> Target | None:
    back = await ways_back(conn, [WayBackFrom(tool, version_id)])
    return back[tool][0].target if back else None


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)


async def link(conn: Connection, version_id: int, previous_id: int) -> None:
    await conn.execute(
        "update tool_versions set previous_version_id = $2 where version_id = $1",
        version_id,
        previous_id,
    )


class TestTrust:
    async def test_is_lost_by_an_automatic_rollback(self, conn: Connection) -> None:
        await deploy_all(conn, "one", "two")
        await deploy_all(conn, "two", tool="other")
        assert await trusted(conn) == [True, True]
        outcome = await automatic(conn)
        assert (outcome.status, outcome.to_version_number) == ("applied", 1)
        assert await trusted(conn) == [True, False]
        assert await trusted(conn, "other") == [True]
        row = await conn.fetchrow("select * from distrusted_code")
        assert row is not None
        assert (row["tool_name"], row["command_id"]) == ("parser", outcome.command_id)
        assert row["since"] == outcome.applied_at

    async def test_is_not_lost_by_a_persons_rollback(self, conn: Connection) -> None:
        await deploy_all(conn, "one", "two")
        assert (await roll_back(conn, command())).status == "applied"
        assert await trusted(conn) == [True, True]

    async def test_is_given_again_by_a_persons_deployment(self, conn: Connection) -> None:
        await deploy_all(conn, "one", "two")
        await automatic(conn)
        await deploy_all(conn, "two")
        assert await trusted(conn) == [True, True, True]

    async def test_is_given_again_by_a_persons_deployment_of_what_is_current(
        self, conn: Connection
    ) -> None:
        await deploy_all(conn, "one", "two")
        await automatic(conn)
        await autonomous(conn, "two", "two")
        assert await trusted(conn) == [True, False, False]
        assert (await deploy(conn, deployment("two"))).status == "unchanged"
        assert await trusted(conn) == [True, True, True]

    async def test_is_given_again_by_a_persons_activation(self, conn: Connection) -> None:
        _, second = await deploy_all(conn, "one", "two")
        await automatic(conn)
        assert (await roll_back(conn, command(to_version_id=second))).status == "applied"
        assert await trusted(conn) == [True, True]

    async def test_is_not_given_by_an_automatic_command(self, conn: Connection) -> None:
        """Also if it names its target."""
        first, second = await deploy_all(conn, "one", "two")
        await automatic(conn)
        assert (await automatic(conn, to_version_id=second)).status == "applied"
        assert await trusted(conn) == [False, False]
        assert (await automatic(conn, to_version_id=first)).status == "applied"
        assert await conn.fetchval("select count(distinct since) from distrusted_code") == 2

    async def test_a_replay_gives_and_takes_nothing(self, conn: Connection) -> None:
        (first,) = await deploy_all(conn, "one")
        by_a_person = deployment("two")
        await deploy(conn, by_a_person)
        outcome = await automatic(conn)
        await deploy(conn, by_a_person)
        assert await trusted(conn) == [True, False]
        second = outcome.from_version_id
        await roll_back(conn, command(to_version_id=second))
        again = command(command_id=outcome.command_id, tier="fast", to_version_id=first)
        assert await roll_back(conn, again) == outcome
        assert await trusted(conn) == [True, True]

    @pytest.mark.parametrize(
        ("fields", "rejection"),
        [
            ({"to_version_id": 2**31 - 1, "from_activation": 9}, "unknown_version"),
            ({"from_version_id": 2**31 - 1, "from_activation": 9}, "unknown_version"),
            ({"from_activation": 9, "to_version_id": THE_FIRST}, "not_current"),
            ({"from_activation": 9}, "not_current"),
            ({"to_version_id": THE_FIRST}, "already_current"),
            ({}, "no_previous_version"),
        ],
    )
    async def test_a_rejected_command_changes_none(
        self, conn: Connection, fields: dict[str, Any], rejection: str
    ) -> None:
        """The first rejection that holds, of automatic and of manual ones."""
        (only,) = await deploy_all(conn, "one")
        assert only == THE_FIRST
        for tier in ("immediate", "fast", "standard", "manual"):
            outcome = await automatic(conn, tier=tier, **fields)
            assert (outcome.status, outcome.rejection) == ("rejected", rejection)
        assert await trusted(conn) == [True]
        found = await version(conn, "parser", only)
        assert found is not None
        assert found.is_current


class TestTarget:
    async def test_passes_over_what_is_not_trusted(self, conn: Connection) -> None:
        await deploy_all(conn, "one", "two")
        await automatic(conn)
        await autonomous(conn, "two", "three")  # numbers 3 and 4
        assert (await automatic(conn)).to_version_number == 1
        await autonomous(conn, "two", "three", "four")  # numbers 5 to 7
        assert (await automatic(conn)).to_version_number == 1
        assert await trusted(conn) == [True] + [False] * 6

    async def test_the_same_code_is_no_way_out(self, conn: Connection) -> None:
        await deploy_all(conn, "one", "two", "one")
        assert (await automatic(conn)).to_version_number == 2
        assert await trusted(conn) == [False, True, False]
        assert (await automatic(conn)).rejection == "no_previous_version"
        assert await trusted(conn) == [False, True, False]

    async def test_the_same_code_farther_back_is_none_either(self, conn: Connection) -> None:
        await deploy_all(conn, "one", "two")
        await automatic(conn)
        await autonomous(conn, "two")
        await deploy_all(conn, "one")
        assert (await automatic(conn)).rejection == "no_previous_version"
        assert await trusted(conn) == [True, False, False, True]
        # a person gets the nearest that is trusted
        assert (await roll_back(conn, command())).to_version_number == 1

    async def test_of_a_person_is_a_trusted_one_too(self, conn: Connection) -> None:
        await deploy_all(conn, "one", "two")
        await automatic(conn)
        await autonomous(conn, "two", "three")
        assert (await roll_back(conn, command())).to_version_number == 1
        assert await trusted(conn) == [True, False, False, True]

    async def test_none_is_left(self, conn: Connection) -> None:
        await deploy_all(conn, "one", "two")
        await automatic(conn)
        await automatic(conn, to_version_id=2)  # nothing is trusted now
        for outcome in (await automatic(conn), await roll_back(conn, command())):
            assert outcome.rejection == "no_previous_version"
        current = await current_version(conn, "parser")
        assert current is not None
        assert current.version_number == 2

    async def test_circles_are_walked_once(self, conn: Connection) -> None:
        first, second, third = await deploy_all(conn, "one", "two", "three")
        await link(conn, first, third)
        await roll_back(conn, command(to_version_id=second))
        await conn.execute(
            "insert into distrusted_code select tool_name, code_hash, gen_random_uuid(), now()"
            " from tool_versions where version_number = 1"
        )
        target = await target_of(conn, "parser", second)
        assert target is not None
        assert target.version_id == third  # 2, 1, 3: the way goes forward here
        await conn.execute(
            "insert into distrusted_code select tool_name, code_hash, gen_random_uuid(), now()"
            " from tool_versions where version_number > 1"
        )
        assert await target_of(conn, "parser", second) is None
        await link(conn, second, second)
        assert await target_of(conn, "parser", second) is None

    async def test_a_circle_that_does_not_lead_back(self, conn: Connection) -> None:
        first, second, third = await deploy_all(conn, "one", "two", "three")
        await link(conn, first, second)
        await conn.execute(
            "insert into distrusted_code select tool_name, code_hash, gen_random_uuid(), now()"
            " from tool_versions"
        )
        assert await target_of(conn, "parser", third) is None

    async def test_is_never_of_another_tool(self, conn: Connection) -> None:
        (alien,) = await deploy_all(conn, "one", tool="other")
        (first,) = await deploy_all(conn, "one")
        await link(conn, first, alien)
        assert await target_of(conn, "parser", first) is None

    async def test_no_more_is_read_than_needed(self, conn: Connection) -> None:
        ids = await deploy_all(conn, *(f"code {number}" for number in range(50)))
        explain = f"explain (analyze, format json) {blocks('rollbacks/trust.sql')['way_back']}"
        for most, rows in ((1, 2), (3, 4)):  # the current version and what may become the target
            asked = ["parser"], [ids[-1]], [None], [most]
            plan = json.loads(await conn.fetchval(explain, *asked))[0]["Plan"]
            (walk,) = (each for each in _nodes(plan) if each["Node Type"] == "Recursive Union")
            assert walk["Actual Rows"] == rows

    async def test_several_with_what_they_did(self, conn: Connection) -> None:
        """In the order of the way, for each tool; what is not trusted is passed over."""
        ids = await deploy_all(conn, "one", "two", "three", "four", "five")
        await deploy_all(conn, "one", "two", tool="other")
        await record_all(
            conn, *(execution(version_id=ids[1], success=each) for each in (True, False, True))
        )
        await conn.execute(
            "insert into distrusted_code select tool_name, code_hash, gen_random_uuid(), now()"
            " from tool_versions where code = 'three'"
        )
        tools = (("parser", ids[4]), ("other", ids[4] + 2), ("nobody", 1))
        found = await ways_back(conn, [WayBackFrom(*each, most=2) for each in tools])
        told = {
            tool: [(each.target.version_number, *each[1:]) for each in back]
            for tool, back in found.items()
        }
        assert told == {"parser": [(4, 0, 0), (2, 3, 2)], "other": [(1, 0, 0)]}
        nearest = await ways_back(conn, [WayBackFrom(*each) for each in tools])
        assert nearest == {tool: back[:1] for tool, back in found.items()}

    async def test_several_of_a_circle(self, conn: Connection) -> None:
        first, _, third = await deploy_all(conn, "one", "two", "three")
        await link(conn, first, third)
        back = await ways_back(conn, [WayBackFrom("parser", third, most=4)])
        numbers = [each.target.version_number for each in back["parser"]]
        assert numbers == [2, 1, 2, 1]
