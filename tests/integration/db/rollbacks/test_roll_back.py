"""Rollback commands: applied once, or rejected."""

import asyncio
from typing import Any

import pytest

from db.postgres.pool import Connection, Pool
from db.versions.reading import current_version, history, version
from schemas.execution import ActivatedBy
from schemas.rollback import RollbackOutcome
from tests.support.inputs.stored import (
    command,
    deploy,
    deploy_all,
    deployment,
    execution,
    metrics,
    record_all,
    roll_back,
)


class TestRollBack:
    async def test_to_the_previous(self, conn: Connection) -> None:
        first, second = await deploy_all(conn, "one", "two")
        order = command(
            from_version_id=second,
            from_activation=2,
            tier="immediate",
            reason="signature_change",
            details={"recent": ["\0", "\ud800"], "success_rate": float("nan")},
        )
        outcome = await roll_back(conn, order)
        assert outcome == RollbackOutcome(
            command_id=order.command_id,
            tool_name="parser",
            status="applied",
            from_version_id=second,
            to_version_id=first,
            to_version_number=1,
            reason="signature_change",
            tier="immediate",
            explanation=outcome.explanation,
            applied_at=outcome.applied_at,
        )
        assert outcome.explanation is not None
        assert outcome.explanation.decided_by == []
        current = await version(conn, "parser", first)
        assert current is not None
        assert (current.is_current, current.activation, current.deployment_count) == (True, 3, 1)
        assert current.activated_at == order.issued_at
        assert current.activated_by == ActivatedBy(kind="rollback", id=order.command_id)
        row = await conn.fetchrow("select * from rollbacks")
        assert row is not None
        assert row["details"] == {"recent": ["\u2400", "\ufffd"], "success_rate": None}
        assert (row["issued_by"], row["issued_at"]) == ("someone", order.issued_at)

        assert await deploy(conn, deployment("three")) is not None
        assert (await roll_back(conn, order)).to_bytes() == outcome.to_bytes()
        newest = (await history(conn, "parser", 1))[0]
        assert (newest.is_current, newest.activation) == (True, 4)
        assert newest.previous_version_id == first

    async def test_to_a_named_one_forward_and_back(self, conn: Connection) -> None:
        first, _, third = await deploy_all(conn, "one", "two", "three")
        assert (await roll_back(conn, command(to_version_id=first))).status == "applied"
        outcome = await roll_back(conn, command(to_version_id=third))
        assert (outcome.from_version_id, outcome.to_version_id) == (first, third)
        current = await current_version(conn, "parser")
        assert current is not None
        assert (current.version_id, current.activation) == (third, 5)

    @pytest.mark.parametrize(
        ("named", "rejection"),
        [
            ({"to_version_id": "alien"}, "unknown_version"),
            ({"to_version_id": 2**31 - 1}, "unknown_version"),
            ({"from_version_id": "alien", "to_version_id": "second"}, "unknown_version"),
            ({"from_version_id": "first", "to_version_id": "alien"}, "unknown_version"),
            ({"from_version_id": "first"}, "not_current"),
            ({"from_version_id": "second", "from_activation": 1}, "not_current"),
            ({"from_activation": 3}, "not_current"),
            ({"from_version_id": "first", "to_version_id": "second"}, "not_current"),
            ({"to_version_id": "second"}, "already_current"),
            ({"from_version_id": "second", "to_version_id": "second"}, "already_current"),
        ],
    )
    async def test_rejections(
        self, conn: Connection, named: dict[str, Any], rejection: str
    ) -> None:
        first, second = await deploy_all(conn, "one", "two")
        (alien,) = await deploy_all(conn, "one", tool="other")
        ids = {"first": first, "second": second, "alien": alien}
        order = command(**{key: ids.get(value, value) for key, value in named.items()})
        outcome = await roll_back(conn, order)
        assert (outcome.status, outcome.rejection) == ("rejected", rejection)
        assert outcome.from_version_id == order.from_version_id
        assert (outcome.to_version_id, outcome.to_version_number) == (None, None)
        row = await conn.fetchrow("select * from rollbacks")
        assert row is not None
        assert row["to_version_id"] == order.to_version_id
        await roll_back(conn, command(to_version_id=first))
        assert await roll_back(conn, order) == outcome
        current = await current_version(conn, "parser")
        assert current is not None
        assert (current.version_id, current.activation) == (first, 3)

    async def test_nothing_to_go_back_to(self, conn: Connection) -> None:
        assert (await roll_back(conn, command())).rejection == "no_previous_version"
        assert (await roll_back(conn, command(from_activation=1))).rejection == "not_current"
        unknown = await roll_back(conn, command(from_version_id=1))
        assert unknown.rejection == "unknown_version"
        await deploy_all(conn, "one")
        assert (await roll_back(conn, command())).rejection == "no_previous_version"
        await deploy_all(conn, "two")
        assert (await roll_back(conn, command())).status == "applied"
        assert (await roll_back(conn, command())).rejection == "no_previous_version"

    async def test_with_deployments_at_once(self, pool: Pool) -> None:
        """Whatever the order: one current version, activations counted without gaps."""

        async def one(number: int) -> bool:
            async with pool.acquire() as conn:
                if number % 2:
                    return (await deploy(conn, deployment(f"code {number}"))).status == "created"
                return (await roll_back(conn, command())).status == "applied"

        changed = sum(await asyncio.gather(*map(one, range(40))))
        versions = await pool.fetch("select is_current, activation from tool_versions")
        assert [row["is_current"] for row in versions].count(True) == 1
        assert max(row["activation"] for row in versions) == changed
        assert next(row["activation"] for row in versions if row["is_current"]) == changed

    async def test_one_command_many_times_at_once(self, pool: Pool, conn: Connection) -> None:
        await deploy_all(conn, "one", "two", "three")
        order = command()

        async def one(_: int) -> RollbackOutcome:
            async with pool.acquire() as other:
                return await roll_back(other, order)

        outcomes = await asyncio.gather(*map(one, range(6)))
        assert len({outcome.to_bytes() for outcome in outcomes}) == 1
        assert outcomes[0].to_version_number == 2

    async def test_while_executions_are_counted(self, pool: Pool, conn: Connection) -> None:
        """Both lock versions in the same order: no deadlock."""
        first, second = await deploy_all(conn, "one", "two")

        async def count() -> None:
            async with pool.acquire() as recorder:
                for _ in range(100):
                    of_each = [execution(version_id=first), execution(version_id=second)]
                    await record_all(recorder, *of_each)

        counting = asyncio.create_task(count())
        while not counting.done():
            current = await current_version(conn, "parser")
            assert current is not None
            target = first if current.version_id == second else second
            assert (await roll_back(conn, command(to_version_id=target))).status == "applied"
        await counting
        assert (await metrics(conn, first))[0] == (await metrics(conn, second))[0] == 100
