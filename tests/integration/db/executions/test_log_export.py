"""What a backtest reads of Postgres: the executions in the log's order, and what became current."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from db.executions.log_export import committed_activations, executions_in_order, one_moment
from db.postgres.pool import Connection, connect
from schemas.execution_entry import ExecutionEntry
from schemas.fields import micros_of
from tests.support.inputs.stored import NOW, command, deploy_all, execution, record_all, roll_back


@pytest.fixture
async def conn(database_dsn: str) -> AsyncIterator[Connection]:
    conn = await connect(database_dsn)
    yield conn
    await conn.close()


def at(second: int) -> datetime:
    return NOW + timedelta(seconds=second)


async def executions(
    conn: Connection,
    tools: frozenset[str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[ExecutionEntry]:
    async with one_moment(conn):
        return [
            run async for part in executions_in_order(conn, tools, since, until) for run in part
        ]


async def test_executions_come_as_the_log_has_them(conn: Connection) -> None:
    """Executions without an offset are older and come first."""
    given = [execution(executed_at=at(second)) for second in (5, 1, 4, 3, 2)]
    await record_all(conn, *given)
    for place in (3, 2):
        await conn.execute(
            "update tool_executions set log_offset = null where log_offset = $1", place
        )
    found = await executions(conn)
    assert [(run.executed_us - micros_of(NOW)) // 1_000_000 for run in found] == [3, 4, 5, 1, 2]
    assert {run.execution_id for run in found} == {each.execution_id for each in given}


async def test_all_that_judging_needs_is_read(conn: Connection) -> None:
    (version,) = await deploy_all(conn, "one")
    bad = execution(
        success=False,
        version_id=version,
        error="pkg.TypeError: no",
        session_id="s",
        caller="c",
        input_hash="i",
        error_origin="caller",
        executed_at=at(0),
    )
    await record_all(conn, bad, execution(executed_at=at(1)))
    [run, good] = await executions(conn)
    assert (run.execution_id, run.tool_name, run.success) == (bad.execution_id, "parser", False)
    assert (run.version_id, run.error_class, run.session_id) == (version, "TypeError", "s")
    assert (run.caller, run.input_hash, run.error_origin) == ("c", "i", "caller")
    assert good.version_id is None
    assert good.error_class is None


async def test_tools_and_both_ends_of_the_time_narrow_it(conn: Connection) -> None:
    await record_all(conn, *(execution(tool, executed_at=at(2)) for tool in ("a", "b", "c")))
    await record_all(conn, *(execution("d", executed_at=at(second)) for second in range(6)))
    assert {run.tool_name for run in await executions(conn, frozenset("ab"))} == {"a", "b"}
    found = await executions(conn, frozenset("d"), at(2), at(4))
    assert len(found) == 3
    assert await executions(conn, frozenset()) == []


async def test_what_became_current_in_its_order(conn: Connection) -> None:
    """By deployments and by rollbacks that were applied, numbered as the applier numbered them."""
    one, two = await deploy_all(conn, "1", "2")
    await deploy_all(conn, "2")  # is current already
    applied = command(from_version_id=two, from_activation=2, issued_at=at(7))
    assert (await roll_back(conn, applied)).status == "applied"
    rejected = command(command_id=UUID(int=9), from_version_id=two, from_activation=2)
    assert (await roll_back(conn, rejected)).status == "rejected"
    (three,) = await deploy_all(conn, "3")
    await deploy_all(conn, "x", tool="other")

    found = await committed_activations(conn, frozenset({"parser"}))
    said = [
        (each.activation.version_id, each.activation.version_number, each.activation.activation)
        for each in found
    ]
    assert said == [(one, 1, 1), (two, 2, 2), (one, 1, 3), (three, 3, 4)]
    kinds = [each.activation.activated_by.kind for each in found]
    assert kinds == ["deployment", "deployment", "rollback", "deployment"]
    assert found[2].activation.activated_by.id == applied.command_id
    assert found[2].activation.activated_at == at(7)
    times = [each.committed_us for each in found]
    assert times == sorted(times)
    everything = await committed_activations(conn, None)
    assert {each.activation.tool_name for each in everything} == {"parser", "other"}


async def test_versions_without_a_deployment_count(conn: Connection) -> None:
    await conn.execute(
        "insert into tool_versions (tool_name, version_number, code, code_hash, created_at, "
        "is_current) values ('old', 1, 'x', repeat('0', 64), $1, true)",
        at(0),
    )
    [found] = await committed_activations(conn, None)
    assert (found.activation.activation, found.committed_us) == (1, micros_of(at(0)))
