"""The limits of automatic rollbacks under policy `guarded`."""

from datetime import timedelta

from db.postgres.pool import Connection, Pool
from tests.support.inputs.stored import NOW, command, deploy_all, deployment
from tests.support.systems.applier import TOPICS
from tests.support.systems.guarded_applier import Guarded, automatic_command


def thresholds(guarded: Guarded) -> dict[str, int | float]:
    """Return the thresholds in the explanation of the last outcome."""
    explanation = guarded.broker.rolled_back()[-1].explanation
    assert explanation is not None
    return explanation.thresholds


async def deploy_and_condemn(
    guarded: Guarded, conn: Connection, seconds: float, tool: str = "parser"
) -> str | None:
    """Deploy another version, condemn it at this second, and return the rejection."""
    code = f"{tool} at {seconds}"
    await guarded.deploy(deployment(code, tool, created_by="autonomous"))
    at = NOW + timedelta(seconds=seconds)
    return (await guarded.condemn(conn, tool, issued_at=at)).rejection


async def test_the_budget(pool: Pool, conn: Connection) -> None:
    guarded = Guarded(pool, rollback_budget=2, rollback_budget_s=100)
    for tool in ("parser", "other"):
        await deploy_all(conn, "good", tool=tool)
    assert await deploy_and_condemn(guarded, conn, 0) is None
    assert await deploy_and_condemn(guarded, conn, 50) is None
    assert await deploy_and_condemn(guarded, conn, 99) == "budget"
    assert await deploy_and_condemn(guarded, conn, 99, "other") is None
    assert await deploy_and_condemn(guarded, conn, 100) is None
    assert await deploy_and_condemn(guarded, conn, 101) == "budget"
    assert thresholds(guarded).items() >= {"rollback_budget": 2, "rollback_budget_s": 100}.items()


async def test_the_cooldown(pool: Pool, conn: Connection) -> None:
    guarded = Guarded(pool, cooldown_s=5, cooldown_decay_s=60)
    await deploy_all(conn, "good")
    assert await deploy_and_condemn(guarded, conn, 0) is None
    assert (
        await deploy_and_condemn(guarded, conn, 1) is None
    )  # the first rollback starts no cooldown
    assert await deploy_and_condemn(guarded, conn, 5) == "cooldown"
    assert await deploy_and_condemn(guarded, conn, 6) is None
    assert await deploy_and_condemn(guarded, conn, 15) == "cooldown"  # it is 10 s now
    assert await deploy_and_condemn(guarded, conn, 16) is None
    assert (
        await deploy_and_condemn(guarded, conn, 16 + 120) is None
    )  # two of the four rollbacks count no more
    assert await deploy_and_condemn(guarded, conn, 16 + 120 + 9) == "cooldown"
    assert thresholds(guarded).items() >= {"cooldown_s": 5, "cooldown_decay_s": 60}.items()
    assert await deploy_and_condemn(guarded, conn, 16 + 120 + 10) is None


async def test_a_replay_gets_the_first_outcome_again(pool: Pool, conn: Connection) -> None:
    guarded = Guarded(pool, cooldown_s=5)
    await deploy_all(conn, "good")
    orders = []
    for seconds in (0, 1, 2):
        await deploy_all(conn, f"bad {seconds}")
        at = NOW + timedelta(seconds=seconds)
        orders.append(await automatic_command(conn, issued_at=at))
        await guarded.roll_back(orders[-1])
    rejections = [each.rejection for each in guarded.broker.rolled_back()]
    assert rejections == [None, None, "cooldown"]
    first = guarded.broker.of(TOPICS.outcomes)
    await guarded.roll_back(*orders)
    assert guarded.broker.of(TOPICS.outcomes)[3:] == first


async def test_limits_count_in_event_time(pool: Pool, conn: Connection) -> None:
    """Commands that are an hour apart are applied within one moment, as in a backlog."""
    guarded = Guarded(pool, cooldown_s=60)
    await deploy_all(conn, "good")
    for hour in range(5):
        assert await deploy_and_condemn(guarded, conn, hour * 3_600) is None


async def test_policy_seed_and_people_have_no_limits(pool: Pool, conn: Connection) -> None:
    guarded = Guarded(pool, rollback_budget=1)
    for tool in ("seed", "parser"):
        await deploy_all(conn, "good", tool=tool)
    assert await deploy_and_condemn(guarded, conn, 0) is None
    for _ in range(3):
        assert await deploy_and_condemn(guarded, conn, 0, "seed") is None
    await deploy_all(conn, "bad")
    await guarded.roll_back(command())
    assert guarded.broker.rolled_back()[-1].status == "applied"


async def test_rollbacks_by_people_are_not_counted(pool: Pool, conn: Connection) -> None:
    guarded = Guarded(pool, rollback_budget=1, wait_after_manual_rollback=False)
    await deploy_all(conn, "good", "bad")
    await guarded.roll_back(command())
    assert await deploy_and_condemn(guarded, conn, 0) is None
