"""The applier rolls nothing back while the recorded executions of all tools show an outage."""

from datetime import timedelta

import pytest

from db.postgres.pool import Connection, Pool, open_pool
from db.versions.reading import current_version
from schemas.execution import Activation, read_log_entry
from schemas.failures.failure_classes import ErrorOrigin
from tests.support.inputs.stored import NOW, command, deploy_all, execution, record_all
from tests.support.servers.login_roles import create_login_roles
from tests.support.systems.applier import TOPICS
from tests.support.systems.guarded_applier import Guarded, automatic_command

TOOLS = [f"tool-{number}" for number in range(6)]
AT = NOW + timedelta(hours=1)
"""When the commands are issued."""


@pytest.fixture(autouse=True)
async def tools(conn: Connection) -> None:
    """Deploy two versions of each tool; the second succeeded nineteen times of twenty."""
    for tool in TOOLS:
        await deploy_all(conn, f"{tool} one", f"{tool} two", tool=tool)
        await run(conn, tool, *range(-1_000, -981), failed=False)
        await run(conn, tool, -980)


async def run(
    conn: Connection,
    tool: str,
    *seconds: float,
    failed: bool = True,
    session: str | None = None,
    origin: ErrorOrigin | None = None,
) -> None:
    """Record executions at these seconds before and after the commands."""
    version = await current_version(conn, tool)
    assert version is not None
    await record_all(
        conn,
        *(
            execution(
                tool,
                not failed,
                version_id=version.version_id,
                executed_at=AT + timedelta(seconds=second),
                session_id=session,
                error_origin=origin,
            )
            for second in seconds
        ),
    )


async def test_failures_of_callers_are_no_sign_of_an_outage(
    guarded: Guarded, conn: Connection
) -> None:
    for tool in TOOLS:
        await run(conn, tool, -10, failed=False)
        await run(conn, tool, -5, origin="caller")
        await run(conn, tool, *range(-970, -940), origin="caller")  # nor of what is usual
    assert await rejection(guarded, conn) is None
    for tool in TOOLS[1:]:
        await run(conn, tool, -4)
    await deploy_all(conn, "three", tool=TOOLS[0])
    assert await rejection(guarded, conn) == "outage"


async def rejection(applier: Guarded, conn: Connection, tool: str = TOOLS[0]) -> str | None:
    return (await applier.condemn(conn, tool, issued_at=AT)).rejection


async def test_in_an_outage_the_log_says_that_the_command_is_withdrawn(
    guarded: Guarded, conn: Connection
) -> None:
    for tool in TOOLS:
        await run(conn, tool, -10, failed=False)
        await run(conn, tool, -5)
    order = await automatic_command(conn, TOOLS[0], issued_at=AT)
    await guarded.roll_back(order, order)
    assert [each.rejection for each in guarded.broker.rolled_back()] == ["outage"] * 2
    told = [read_log_entry(value) for value in guarded.broker.of(TOPICS.executions)]
    assert [isinstance(each, Activation) and each.outage for each in told] == [order.command_id] * 2
    assert [each.tool_name for each in told] == [TOOLS[0]] * 2
    [explanation, _] = [each.explanation for each in guarded.broker.rolled_back()]
    assert explanation is not None
    assert explanation.thresholds["outage_tools"] == 4
    current = await current_version(conn, TOOLS[0])
    assert current is not None
    assert current.version_number == 2


async def test_failures_of_the_environment_are_the_best_sign(
    guarded: Guarded, conn: Connection
) -> None:
    for tool in TOOLS:
        await run(conn, tool, -5, origin="environment")
    assert await rejection(guarded, conn) == "outage"


async def test_failures_of_the_environment_may_be_usual(guarded: Guarded, conn: Connection) -> None:
    for tool in TOOLS:
        await run(conn, tool, *range(-970, -940), origin="environment")
        await run(conn, tool, -5)
    assert await rejection(guarded, conn) is None


@pytest.mark.parametrize("mode", ["hold", "observe"])
async def test_nobody_is_asked_in_an_outage(guarded: Guarded, conn: Connection, mode: str) -> None:
    for tool in TOOLS:
        await run(conn, tool, -5)
    outcome = await guarded.condemn(conn, TOOLS[0], issued_at=AT, mode=mode)
    assert outcome.rejection == "outage"


async def test_only_the_last_executions_before_the_command_count(
    guarded: Guarded, conn: Connection
) -> None:
    for tool in TOOLS:
        await run(conn, tool, -76)
        await run(conn, tool, -10, failed=tool == TOOLS[0])
        await run(conn, tool, 1)
    assert await rejection(guarded, conn) is None


@pytest.mark.parametrize(("recovered", "rejected"), [(-14, "outage"), (-15, None)])
async def test_an_outage_stops_commands_for_some_seconds_more(
    guarded: Guarded, conn: Connection, recovered: float, rejected: str | None
) -> None:
    """The failures of a tool that has not succeeded since then are still those of the outage."""
    for tool in TOOLS:
        await run(conn, tool, -20)
    for tool in TOOLS[1:]:
        await run(conn, tool, recovered, failed=False)
    await run(conn, TOOLS[0], -1)
    assert await rejection(guarded, conn) == rejected


async def test_executions_of_long_ago_do_not_count(guarded: Guarded, conn: Connection) -> None:
    for tool in TOOLS:
        await run(conn, tool, -75)
    assert await rejection(guarded, conn) is None


async def test_versions_that_never_succeeded_do_not_count(
    guarded: Guarded, conn: Connection
) -> None:
    for tool in TOOLS[:3]:
        await deploy_all(conn, f"{tool} three", tool=tool)
    for tool in TOOLS:
        await run(conn, tool, -5)
    assert await rejection(guarded, conn) is None


async def test_one_producer_is_no_outage_while_others_are_well(
    guarded: Guarded, conn: Connection
) -> None:
    for tool in TOOLS:
        await run(conn, tool, -20, failed=False, session="engine")
        await run(conn, tool, *range(-10, 0), session="attacker")
    assert await rejection(guarded, conn) is None


async def test_what_others_did_long_ago_says_nothing(guarded: Guarded, conn: Connection) -> None:
    for tool in TOOLS:
        await run(conn, tool, -31, failed=False, session="engine")
        await run(conn, tool, -5, session="loud")
    assert await rejection(guarded, conn) == "outage"


async def test_people_policy_seed_and_approvals_are_not_stopped(
    guarded: Guarded, conn: Connection
) -> None:
    await deploy_all(conn, "one", "two", tool="seed")
    for tool in TOOLS:
        await run(conn, tool, -5)
    await guarded.roll_back(command(TOOLS[1], issued_at=AT))
    await guarded.condemn(conn, "seed", issued_at=AT)
    await guarded.condemn(conn, TOOLS[2], issued_at=AT, approved_by="someone")
    assert [each.status for each in guarded.broker.rolled_back()] == ["applied"] * 3


async def test_the_applier_needs_no_other_permissions(conn: Connection, database_dsn: str) -> None:
    for tool in TOOLS:
        await run(conn, tool, -5)
    pool = await open_pool((await create_login_roles(database_dsn))["applier"])
    try:
        assert await rejection(Guarded(pool), conn) == "outage"
    finally:
        await pool.close()


@pytest.fixture
def guarded(pool: Pool) -> Guarded:
    return Guarded(pool)
