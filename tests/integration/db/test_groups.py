"""Changes of several tools in one transaction: the same as one after the other, all or none."""

import asyncio
from random import Random
from typing import Any
from uuid import uuid4

import pytest

from db.postgres import locks
from db.postgres.locks import tool_lock, tool_transaction
from db.postgres.pool import Connection, Pool
from db.versions.deploying import Compared, deploy_each
from db.versions.reading import current_versions, history
from schemas.deployment import Deployment
from schemas.errors import Locked
from schemas.rollback import RollbackCommand
from schemas.settings import Settings
from tests.support.inputs.stored import (
    command,
    deploy,
    deploy_all,
    deployment,
    held_locks,
    roll_back,
    roll_back_each,
)

SETTINGS = Settings()
TOOLS = ["a", "b", "c", "d", "e"]


async def in_a_group(conn: Connection, *requests: Deployment) -> list[Any]:
    return list(await deploy_each(conn, [Compared(request) for request in requests]))


class _Side:
    """The same tools under names of its own, changed in groups or one after the other."""

    def __init__(self, conn: Connection, name: str, in_groups: bool) -> None:
        self._conn = conn
        self._name = name
        self._in_groups = in_groups

    async def deploy(self, codes: dict[str, str], by: str) -> list[Any]:
        requests = [
            deployment(code, self._name + tool, created_by=by) for tool, code in codes.items()
        ]
        if self._in_groups:
            outcomes = await in_a_group(self._conn, *requests)
        else:
            outcomes = [await deploy(self._conn, request) for request in requests]
        return [
            (each.tool_name[1:], each.status, each.version_number, each.activation)
            for each in outcomes
        ]

    async def roll_back(self, to: dict[str, int | None], tier: str) -> list[Any]:
        """To the version with this number, or to where the way back leads."""
        orders = [await self._order(tool, number, tier) for tool, number in to.items()]
        if self._in_groups:
            outcomes = await roll_back_each(self._conn, orders, SETTINGS.rules_of)
        else:
            outcomes = [await roll_back(self._conn, order) for order in orders]
        return [
            (each.tool_name[1:], each.status, each.rejection, each.to_version_number)
            for each in outcomes
        ]

    async def _order(self, tool: str, number: int | None, tier: str) -> RollbackCommand:
        fields: dict[str, Any] = {}
        if tier != "manual":
            fields = {"tier": tier, "reason": "high_failure_rate"}
        if number is not None:
            sql = (
                "select version_id from tool_versions where tool_name = $1 and version_number = $2"
            )
            version_id = await self._conn.fetchval(sql, self._name + tool, number)
            fields["to_version_id"] = version_id or 2**31 - 1
        return command(self._name + tool, **fields)

    async def state(self) -> list[Any]:
        return [
            (
                *(tool, each.version_number, each.is_current, each.trusted, each.activation),
                *(each.code, each.deployment_count, len(each.rollbacks)),
            )
            for tool in TOOLS
            for each in await history(self._conn, self._name + tool, 100)
        ]


@pytest.mark.parametrize("seed", range(4))
async def test_the_same_as_one_after_the_other(conn: Connection, seed: int) -> None:
    chance = Random(seed)
    sides = _Side(conn, "1", in_groups=True), _Side(conn, "2", in_groups=False)
    for _ in range(25):
        tools = chance.sample(TOOLS, chance.randint(1, len(TOOLS)))
        if chance.random() < 0.5:
            codes = {tool: chance.choice("uvw") for tool in tools}
            by = chance.choice(["human", "autonomous"])
            results = [await side.deploy(codes, by) for side in sides]
        else:
            to = {tool: chance.choice([None, None, 1, 2, 3]) for tool in tools}
            tier = chance.choice(["manual", "fast"])
            results = [await side.roll_back(to, tier) for side in sides]
        assert results[0] == results[1]
        assert await sides[0].state() == await sides[1].state()


async def test_a_replay_of_some_of_them(conn: Connection) -> None:
    old = [deployment("one", tool) for tool in "ab"]
    first = await in_a_group(conn, *old)
    new = deployment("one", "c")
    again = await in_a_group(conn, new, *old)
    assert [each.to_bytes() for each in again[1:]] == [each.to_bytes() for each in first]
    assert again[0].status == "created"

    await in_a_group(conn, *(deployment("two", tool) for tool in "abc"))
    orders = [command(tool) for tool in "ab"]
    applied = await roll_back_each(conn, orders, SETTINGS.rules_of)
    once_more = await roll_back_each(conn, [command("c"), *reversed(orders)], SETTINGS.rules_of)
    assert [each.to_bytes() for each in once_more[:0:-1]] == [each.to_bytes() for each in applied]
    assert await conn.fetchval("select count(*) from rollbacks") == 3


async def test_one_id_for_two_tools_is_two_requests(conn: Connection) -> None:
    same = uuid4()
    requests = [deployment("one", tool, deployment_id=same) for tool in "ab"]
    outcomes = await in_a_group(conn, *requests)
    assert [(each.tool_name, each.status) for each in outcomes] == [
        ("a", "created"),
        ("b", "created"),
    ]
    assert await in_a_group(conn, *reversed(requests)) == outcomes[::-1]
    await in_a_group(conn, *(deployment("two", tool) for tool in "ab"))
    commands = [command(tool, command_id=same) for tool in "ab"]
    done = await roll_back_each(conn, commands, SETTINGS.rules_of)
    assert [(each.tool_name, each.status) for each in done] == [("a", "applied"), ("b", "applied")]
    assert await roll_back_each(conn, commands[::-1], SETTINGS.rules_of) == done[::-1]
    current = await current_versions(conn, ["a", "b"])
    assert [each.version_number for each in current.values()] == [1, 1]


async def test_groups_that_overlap_do_not_wait_in_a_circle(pool: Pool, conn: Connection) -> None:
    for tool in TOOLS:
        await deploy_all(conn, "0", tool=tool)

    async def many(seed: int) -> None:
        chance = Random(seed)
        async with pool.acquire() as holder, pool.acquire() as mine:
            for _ in range(15):
                tools = chance.sample(TOOLS, 4)
                async with tool_lock(holder, *tools, wait_ms=20_000):
                    await in_a_group(mine, *(deployment(str(uuid4()), tool) for tool in tools))
                await roll_back_each(
                    mine, [command(tool) for tool in chance.sample(TOOLS, 4)], SETTINGS.rules_of
                )

    await asyncio.wait_for(asyncio.gather(*map(many, range(4))), 120)
    versions = [each for tool in TOOLS for each in await history(conn, tool, 100)]
    assert sum(each.is_current for each in versions) == len(TOOLS)
    assert len(versions) == len(TOOLS) + 4 * 15 * 4
    assert await held_locks(conn) == 0


async def test_locks_are_given_back_where_one_is_not_granted(
    pool: Pool, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "TOOL_TIMEOUT_MS", 50)
    async with pool.acquire() as other:
        async with tool_lock(conn, *TOOLS), tool_transaction(other, *TOOLS):
            pass  # now all tools have their rows
        for tool in TOOLS:
            async with tool_lock(conn, tool):
                with pytest.raises(Locked) as error:
                    async with tool_lock(other, *TOOLS):
                        pass
                assert error.value.tools == {tool}
            async with tool_transaction(conn, tool):
                with pytest.raises(Locked, match="lock timeout"):
                    await in_a_group(other, *(deployment("one", each) for each in TOOLS))
                assert await held_locks(other) == 1
        async with tool_lock(other, *TOOLS):
            assert await held_locks(conn) == len(TOOLS)
        assert await held_locks(conn) == 0
