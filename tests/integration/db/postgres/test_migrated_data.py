"""Migration 0002 of a database that was filled under migration 0001."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from db.executions.queries import newest_executions
from db.postgres import migrate
from db.postgres.pool import Connection, connect
from db.rollbacks.records import rollback_of
from db.versions.reading import history
from schemas.rollback import CommandKey
from tests.support.inputs.stored import (
    NOW,
    command,
    deploy,
    deployment,
    execution,
    record_all,
    roll_back,
)


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


@pytest.fixture
async def conn(empty_dsn: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Connection]:
    """Yield a database at migration 0001, in a program that knows all migrations."""
    conn = await connect(empty_dsn)
    first = {"0001_initial": migrate.migrations()["0001_initial"]}
    with monkeypatch.context() as patched:
        patched.setattr(migrate, "migrations", lambda: first)
        await migrate.migrate(conn)
    yield conn
    await conn.close()


async def old_versions(conn: Connection, tool: str, *versions: tuple[str, str, float]) -> list[int]:
    """Insert versions as they were at migration 0001; return their ids.

    ``versions`` are hash, author and minute of each. The last one is current.
    """
    ids: list[int] = []
    async with conn.transaction():  # at its end one is current
        for number, (code_hash, by, minute) in enumerate(versions, 1):
            deployment_id = uuid4()
            version_id = await conn.fetchval(
                "insert into tool_versions (tool_name, version_number, code, code_hash, created_at,"
                " created_by, is_current, improvement_type, previous_version_id, deployment_id,"
                " activation)"
                " values ($1, $2, $3, $4, $5, $6, $7, 'bug_fix', $8, $9, $2) returning version_id",
                *(tool, number, f"code {code_hash}", code_hash * 64, at(minute - 0.1), by),
                *(number == len(versions), ids[-1] if ids else None, deployment_id),
            )
            ids.append(version_id)
            sql = "insert into deployments values ($1, $2, $3, $4)"
            await conn.execute(sql, deployment_id, tool, {}, at(minute))
    return ids


async def old_rollback(
    conn: Connection,
    tool: str,
    from_id: int,
    to_id: int,
    minute: float,
    tier: str = "fast",
    rejection: str | None = None,
) -> UUID:
    command_id: UUID = await conn.fetchval(
        "insert into rollbacks values (gen_random_uuid(), $1, $2, $3, null, $4, 'manual', '{}',"
        " 'x', $5, $6, $7, $5) returning command_id",
        *(tool, from_id, to_id, tier, at(minute)),
        *("rejected" if rejection else "applied", rejection),
    )
    return command_id


async def distrusted(conn: Connection) -> dict[tuple[str, str], tuple[UUID, datetime]]:
    rows = await conn.fetch("select * from distrusted_code")
    return {
        (row["tool_name"], row["code_hash"][0]): (row["command_id"], row["since"]) for row in rows
    }


async def test_rows_survive_and_are_read(conn: Connection) -> None:
    first, second = await old_versions(conn, "parser", ("a", "human", 1), ("b", "human", 2))
    command_id = await old_rollback(conn, "parser", second, first, 3, "manual")
    execution_id = uuid4()
    await conn.execute(
        "insert into tool_executions values ($1, 'parser', $2, false, 'x', null, $3, 1.5, 's')",
        *(execution_id, second, NOW),
    )
    assert await migrate.migrate(conn) == list(migrate.migrations())[1:]
    await migrate.require_schema(conn)
    newest, oldest = await history(conn, "parser", 10)
    assert (newest.code, oldest.code) == ("code b", "code a")
    assert (newest.accepted_breaks, newest.trusted) == ([], True)
    assert [each.command_id for each in newest.rollbacks] == [command_id]
    record = await rollback_of(conn, CommandKey("parser", command_id, is_automatic=False))
    assert record is not None
    assert (record.from_version_number, record.to_version_number) == (2, 1)
    later = execution(version_id=second)  # at the same time as the old one
    await record_all(conn, later)
    found = await newest_executions(conn, "parser", second, 10)
    assert [each.execution_id for each in found] == [later.execution_id, execution_id]
    assert [each.log_offset for each in found] == [0, None]
    assert [each.error_origin for each in found] == [None, "tool"]
    assert (await deploy(conn, deployment("code c"))).version_number == 3
    assert (await roll_back(conn, command())).to_version_id == second


async def test_trust_that_was_lost(conn: Connection) -> None:
    """By the last of what happened to the code; a rejected command happened to none."""
    autonomous = [(name, "autonomous", minute) for minute, name in enumerate("abcde")]
    a, b, c, d, e = await old_versions(conn, "parser", *autonomous)
    await old_versions(conn, "other", *autonomous)
    lost = await old_rollback(conn, "parser", b, a, 10)
    await old_rollback(conn, "parser", b, a, 11)  # again: the first one took it
    await old_rollback(conn, "parser", c, a, 12)
    await old_rollback(conn, "parser", a, c, 13, "manual")  # given again
    await old_rollback(conn, "parser", d, a, 14, "manual")
    await old_rollback(conn, "parser", e, d, 15, rejection="not_current")
    await old_rollback(conn, "other", a, b, 16, rejection="unknown_version")
    await migrate.migrate(conn)
    assert await distrusted(conn) == {("parser", "b"): (lost, at(10))}


async def test_trust_that_a_person_gave_again(conn: Connection) -> None:
    """By a version of the same code, made later; what is lost after that is lost again."""
    a, b, _, d, _ = await old_versions(
        conn,
        "parser",
        ("a", "human", 1),
        ("b", "human", 2),
        ("b", "human", 21),
        ("d", "autonomous", 22),
        ("d", "autonomous", 25),
    )
    await old_rollback(conn, "parser", b, a, 20)
    for_d = await old_rollback(conn, "parser", d, a, 24)
    await old_rollback(conn, "parser", a, b, 30, "manual")
    for_a = await old_rollback(conn, "parser", a, b, 31)
    await migrate.migrate(conn)
    assert await distrusted(conn) == {
        ("parser", "d"): (for_d, at(24)),
        ("parser", "a"): (for_a, at(31)),
    }
    assert [each.trusted for each in await history(conn, "parser", 10)] == [
        False,
        False,
        True,
        True,
        False,
    ]


async def test_versions_that_were_inserted_by_hand(conn: Connection) -> None:
    """With the seed's columns alone there is no deployment: their `created_at` counts."""
    for tool, minute in (("early", 4), ("late", 6)):
        await conn.execute(
            "insert into tool_versions (tool_name, version_number, code, code_hash, created_by,"
            " is_current, improvement_type, created_at)"
            " values ($1, 1, 'x', repeat('a', 64), 'human', true, 'initial', $2)",
            *(tool, at(minute)),
        )
    early, late = await conn.fetch("select version_id from tool_versions order by tool_name")
    lost = await old_rollback(conn, "early", early["version_id"], early["version_id"], 5)
    await old_rollback(conn, "late", late["version_id"], late["version_id"], 5)
    await migrate.migrate(conn)
    assert await distrusted(conn) == {("early", "a"): (lost, at(5))}
