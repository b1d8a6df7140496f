"""Many at once on one tool: some order, one current version at every moment, no gap."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from random import Random
from typing import Any
from uuid import uuid4

import pytest

from db.postgres.pool import Connection, Pool, open_pool
from db.rollbacks.records import rollbacks
from db.versions.reading import VersionRecord, current_version, history
from schemas.deployment import Deployment
from schemas.rollback import RollbackCommand
from tests.support.inputs.stored import command, deploy, deploy_all, deployment, roll_back

AT_ONCE = 8


@pytest.fixture
async def pool(database_dsn: str) -> AsyncIterator[Pool]:
    pool = await open_pool(database_dsn, size=AT_ONCE + 1)
    yield pool
    await pool.close()


@asynccontextmanager
async def watched(pool: Pool) -> AsyncIterator[None]:
    """Another connection looks all the while: exactly one version is current."""
    done = asyncio.Event()

    async def look() -> int:
        looks = 0
        async with pool.acquire() as conn:
            while not done.is_set():
                sql = "select count(*) filter (where is_current) from tool_versions"
                assert await conn.fetchval(sql) == 1
                looks += 1
        return looks

    looking = asyncio.create_task(look())
    try:
        yield
    finally:
        done.set()
    assert await looking > 5


async def on_each(pool: Pool, work: Sequence[Callable[[Connection], Awaitable[Any]]]) -> list[Any]:
    """Each piece of work on a connection of its own, as many at once as there are."""

    async def one(piece: Callable[[Connection], Awaitable[Any]]) -> Any:
        async with free, pool.acquire() as conn:
            return await piece(conn)

    free = asyncio.Semaphore(AT_ONCE)
    return await asyncio.gather(*map(one, work))


async def versions_of(pool: Pool) -> list[VersionRecord]:
    """All versions by number; these are 1 … n, and the activations of no two are the same."""
    async with pool.acquire() as conn:
        versions = (await history(conn, "parser", 1_000))[::-1]
    assert [each.version_number for each in versions] == list(range(1, len(versions) + 1))
    assert len({each.activation for each in versions}) == len(versions)
    (current,) = (each for each in versions if each.is_current)
    assert current.activation == max(each.activation for each in versions)
    return versions


async def put_back_automatically(conn: Connection) -> str:
    """As the detector does: about the version that is current as far as it knows."""
    current = await current_version(conn, "parser")
    assert current is not None
    await asyncio.sleep(0.002)  # meanwhile another one may be
    about: dict[str, Any] = {
        "from_version_id": current.version_id,
        "from_activation": current.activation,
    }
    outcome = await roll_back(conn, command(tier="standard", reason="success_rate_drop", **about))
    return outcome.rejection or outcome.status


async def test_deployments(pool: Pool) -> None:
    async with pool.acquire() as conn:
        await deploy_all(conn, "the first")
    requests = [deployment(f"code {number}") for number in range(100)]

    def deploying(request: Deployment) -> Callable[[Connection], Awaitable[Any]]:
        return lambda conn: deploy(conn, request)

    async with watched(pool):
        outcomes = await on_each(pool, [deploying(request) for request in requests])
    assert sorted(outcome.version_number for outcome in outcomes) == list(range(2, 102))
    assert sorted(outcome.activation for outcome in outcomes) == list(range(2, 102))
    versions = await versions_of(pool)
    codes = {request.deployment_id: request.code for request in requests}
    for before, after in pairwise(versions):
        assert after.previous_version_id == before.version_id
        assert after.code == codes[after.deployment_id]


@pytest.mark.parametrize("seed", range(3))
async def test_deployments_and_rollbacks(pool: Pool, seed: int) -> None:
    async with pool.acquire() as conn:
        first, second = await deploy_all(conn, "a", "b")

    async def manual(conn: Connection) -> str:
        to = random.choice([first, second, None])
        outcome = await roll_back(conn, command(to_version_id=to))
        return outcome.rejection or outcome.status

    async def deploying(conn: Connection) -> str:
        by = random.choice(["human", "autonomous"])
        code = random.choice("abcdef")
        return (await deploy(conn, deployment(code, created_by=by))).status

    random = Random(seed)
    kinds = [deploying, put_back_automatically, manual]
    async with watched(pool):
        results = await on_each(pool, random.choices(kinds, k=150))
    assert {"created", "applied", "not_current"} <= set(results)
    versions = await versions_of(pool)
    assert len(versions) == 2 + results.count("created")
    changes = 2 + results.count("created") + results.count("applied")
    assert max(each.activation for each in versions) == changes
    async with pool.acquire() as conn:
        applied = [
            each for each in await rollbacks(conn, "parser", None, 1_000) if not each.rejection
        ]
    assert len(applied) == results.count("applied")
    automatic = {each.from_version_id for each in applied if each.tier != "manual"}
    rolled_back = {each.code for each in versions if each.version_id in automatic}
    assert {each.code for each in versions if not each.trusted} <= rolled_back


async def test_the_same_deployment(pool: Pool) -> None:
    async with pool.acquire() as conn:
        await deploy_all(conn, "one")
    same = deployment("two")
    async with watched(pool):
        outcomes = await on_each(pool, [lambda conn: deploy(conn, same)] * 40)
    assert len({outcome.to_bytes() for outcome in outcomes}) == 1
    assert [each.deployment_count for each in await versions_of(pool)] == [1, 1]


@pytest.mark.parametrize("tier", ["fast", "manual"])
async def test_the_same_command(pool: Pool, tier: str) -> None:
    async with pool.acquire() as conn:
        await deploy_all(conn, "one", "two", "three")
    reason = "manual" if tier == "manual" else "complete_failure"
    same = command(tier=tier, reason=reason)
    async with watched(pool):
        outcomes = await on_each(pool, [lambda conn: roll_back(conn, same)] * 40)
    assert len({outcome.to_bytes() for outcome in outcomes}) == 1
    assert outcomes[0].to_version_number == 2
    versions = await versions_of(pool)
    assert [each.activation for each in versions] == [1, 4, 3]
    assert [each.trusted for each in versions] == [True, True, tier == "manual"]
    assert [len(each.rollbacks) for each in versions] == [0, 0, 1]


async def test_two_detectors_and_a_person(pool: Pool) -> None:
    """Different commands about the same activation: the first one is applied, no other."""
    async with pool.acquire() as conn:
        *_, last = await deploy_all(conn, "one", "two", "three")

    def ordering(order: RollbackCommand) -> Callable[[Connection], Awaitable[Any]]:
        return lambda conn: roll_back(conn, order)

    about: dict[str, Any] = {"from_version_id": last, "from_activation": 3}
    orders = [
        *(command(tier="fast", reason="complete_failure", **about) for _ in range(10)),
        *(command(command_id=uuid4(), **about) for _ in range(10)),
    ]
    async with watched(pool):
        outcomes = await on_each(pool, [ordering(order) for order in orders])
    said = [outcome.rejection or outcome.status for outcome in outcomes]
    assert sorted(said) == ["applied"] + ["not_current"] * 19
    assert len((await versions_of(pool))[-1].rollbacks) == 20
