"""Migration 0007 of a database that was filled under migration 0006."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from db.postgres import migrate
from db.postgres.pool import Connection, connect
from db.rollbacks.records import rollback_of
from db.versions.outcomes import outcome_of
from schemas.rollback import CommandKey
from tests.support.inputs.stored import (
    NOW,
    command,
    deploy,
    deploy_all,
    deployment,
    execution,
    record_all,
    roll_back,
)

BEFORE = "0007"
KEYS = {
    "deployments_pkey": ["deployment_id", "tool_name"],
    "rollbacks_pkey": ["command_id", "tool_name", "is_automatic"],
    "tool_executions_pkey": ["execution_id", "tool_name"],
}


@pytest.fixture
async def conn(empty_dsn: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Connection]:
    """Yield a database at migration 0006, in a program that knows all migrations."""
    conn = await connect(empty_dsn)
    old = {name: sql for name, sql in migrate.migrations().items() if name < BEFORE}
    with monkeypatch.context() as patched:
        patched.setattr(migrate, "migrations", lambda: old)
        await migrate.migrate(conn)
    yield conn
    await conn.close()


async def fill(conn: Connection) -> tuple[UUID, UUID, UUID]:
    """Store a deployment, an automatic command and an execution; return their ids."""
    ids = uuid4(), uuid4(), uuid4()
    outcome: dict[str, Any] = {
        "deployment_id": str(ids[0]),
        "tool_name": "parser",
        "status": "refused",
        "applied_at": NOW.isoformat(),
    }
    sql = "insert into deployments values ($1, 'parser', $2, $3)"
    await conn.execute(sql, ids[0], outcome, NOW)
    await conn.execute(
        "insert into rollbacks (command_id, tool_name, tier, reason, details, issued_by, issued_at,"
        " status, rejection, applied_at)"
        " values ($1, 'parser', 'fast', 'complete_failure', '{}', 'x', $2, 'rejected',"
        " 'not_current', $2)",
        *(ids[1], NOW),
    )
    await conn.execute(
        "insert into tool_executions (execution_id, tool_name, success, executed_at)"
        " values ($1, 'parser', true, $2)",
        *(ids[2], NOW),
    )
    return ids


async def keys(conn: Connection) -> dict[str, list[str]]:
    rows = await conn.fetch(
        "select constraint_name as name, array_agg(column_name::text order by ordinal_position)"
        " as columns from information_schema.key_column_usage"
        " where constraint_name = any($1::text[]) group by 1",
        list(KEYS),
    )
    return {row["name"]: row["columns"] for row in rows}


async def test_rows_keep_their_meaning_and_their_ids_are_free_for_others(conn: Connection) -> None:
    deployment_id, command_id, execution_id = await fill(conn)
    assert (await migrate.migrate(conn))[0] == "0007_ids_of_tools"
    await migrate.require_schema(conn)
    assert await keys(conn) == KEYS

    known = await outcome_of(conn, "parser", deployment_id)
    assert known is not None
    again = deployment("one", deployment_id=deployment_id)
    assert await deploy(conn, again) == known
    foreign = await deploy(conn, again.model_copy(update={"tool_name": "other"}))
    assert (foreign.tool_name, foreign.status) == ("other", "created")

    old = await rollback_of(conn, CommandKey("parser", command_id, is_automatic=True))
    assert old is not None
    assert old.rejection == "not_current"
    await deploy_all(conn, "one", "two")
    order = command(command_id=command_id, tier="immediate", reason="complete_failure")
    assert (await roll_back(conn, order)).rejection == "not_current"
    assert (await roll_back(conn, command(command_id=command_id))).status == "applied"

    run = execution(execution_id=execution_id)
    assert await record_all(conn, run, run.model_copy(update={"tool_name": "other"})) == 1


async def test_an_index_that_was_built_before_is_used(conn: Connection) -> None:
    await fill(conn)
    await conn.execute(
        "create unique index concurrently tool_executions_of_tools"
        " on tool_executions (execution_id, tool_name)"
    )
    oid = await conn.fetchval("select 'tool_executions_of_tools'::regclass::oid")
    await migrate.migrate(conn)
    assert await keys(conn) == KEYS
    assert await conn.fetchval("select 'tool_executions_pkey'::regclass::oid") == oid


async def test_who_could_read_ids_of_executions_can_read_what_the_applier_now_needs(
    conn: Connection,
) -> None:
    role = f"applier_{uuid4().hex}"
    await conn.execute(f'create role "{role}"')
    try:
        await conn.execute(f'grant select (execution_id, error) on tool_executions to "{role}"')
        await migrate.migrate(conn)
        rights = await conn.fetch(
            "select attname, has_column_privilege($1, attrelid, attnum, 'SELECT') as may_read"
            " from pg_attribute where attrelid = 'tool_executions'::regclass and attnum > 0",
            role,
        )
        readable = {row["attname"] for row in rights if row["may_read"]}
        granted = {"tool_name", "session_id", "caller", "error_origin"}
        assert readable == {"execution_id", "error"} | granted
    finally:
        await conn.execute(f'drop owned by "{role}"')
        await conn.execute(f'drop role "{role}"')
