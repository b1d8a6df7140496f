"""The target of a rollback under policy `guarded`."""

from db.postgres.pool import Connection
from tests.support.inputs.stored import command, deploy_all, execution, record_all
from tests.support.systems.applier import TOPICS
from tests.support.systems.guarded_applier import Guarded, automatic_command, record_executions


async def test_a_version_that_did_well_is_preferred_to_a_nearer_one(
    guarded: Guarded, conn: Connection
) -> None:
    first, second, third, _ = await deploy_all(conn, "one", "two", "three", "four")
    await record_executions(conn, first, 20)
    await record_executions(conn, second, 20, failures=1)
    await record_executions(conn, third, 9)
    outcome = await guarded.condemn(conn, "parser")
    assert (outcome.status, outcome.to_version_number, outcome.target) == (
        *("applied", 2),
        "earned",
    )
    assert guarded.broker.activations("parser") == [5]


async def test_without_such_a_version_the_nearest_is_the_target(
    guarded: Guarded, conn: Connection
) -> None:
    first, second, _ = await deploy_all(conn, "one", "two", "three")
    await record_executions(conn, first, 20)
    await record_executions(conn, second, 9)
    # 0.05 ** (1 / 20) = 0.861 < 0.9
    details = {"executions": 10, "failures": 1}
    outcome = await guarded.condemn(conn, "parser", details=details)
    assert (outcome.to_version_number, outcome.target) == (2, "nearest")


async def test_without_details_the_recorded_executions_count(
    guarded: Guarded, conn: Connection
) -> None:
    first, _, third = await deploy_all(conn, "one", "two", "three")
    await record_executions(conn, first, 20)
    await record_executions(conn, third, 10, failures=9)
    outcome = await guarded.condemn(conn, "parser", details={})
    assert (outcome.to_version_number, outcome.target) == (1, "earned")


async def test_the_nearest_is_the_target_for_policy_seed_and_for_people(
    guarded: Guarded, conn: Connection
) -> None:
    for tool in ("seed", "parser"):
        first, *_ = await deploy_all(conn, "one", "two", "three", tool=tool)
        await record_all(conn, *(execution(tool, version_id=first) for _ in range(20)))
    await guarded.roll_back(await automatic_command(conn, "seed"), command("parser"))
    for outcome in guarded.broker.rolled_back():
        assert (outcome.status, outcome.to_version_number) == ("applied", 2)
        assert outcome.target is None
        assert outcome.is_breaking_change is None
        assert outcome.breaking_changes is None
    assert guarded.comparer.asked == []
    assert b"target" not in guarded.broker.of(TOPICS.outcomes)[0]


async def test_a_version_that_is_not_trusted_is_no_target(
    guarded: Guarded, conn: Connection
) -> None:
    first, second = await deploy_all(conn, "one", "two")
    await record_executions(conn, first, 5)
    await record_executions(conn, second, 100, failures=10)
    await guarded.condemn(conn, "parser")
    await deploy_all(conn, "three")
    outcome = await guarded.condemn(conn, "parser")
    assert (outcome.to_version_number, outcome.target) == (1, "nearest")
