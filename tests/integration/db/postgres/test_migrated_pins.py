"""Migration 0017 of a database that has pins, and roles that may read or write them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from db.postgres import migrate
from db.postgres.pool import Connection, connect
from db.stops.reading import stops_of
from tests.support.inputs.stored import begin_stop, end_stop

NOW = datetime.now(UTC)


@pytest.fixture
async def conn(empty_dsn: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Connection]:
    """Yield a database at migration 0016, in a program that knows all migrations."""
    conn = await connect(empty_dsn)
    before = {name: sql for name, sql in migrate.migrations().items() if name < "0017"}
    with monkeypatch.context() as patched:
        patched.setattr(migrate, "migrations", lambda: before)
        await migrate.migrate(conn)
    yield conn
    await conn.close()


async def test_pins_stay_in_force(conn: Connection) -> None:
    for tool, until in (("a", None), ("b", NOW + timedelta(days=1)), ("c", NOW)):
        await conn.execute(
            "insert into tool_versions (tool_name, version_number, code, code_hash, created_by,"
            " is_current, improvement_type) values ($1, 1, 'x', repeat('a', 64), 'human', true,"
            " 'initial')",
            tool,
        )
        await conn.execute(
            "insert into pins (tool_name, reason, pinned_by, pinned_at, expires_at)"
            " values ($1, $2, 'ann', $3, $4)",
            *(tool, f"why {tool}", NOW - timedelta(hours=1), until),
        )
    in_force = await conn.fetch("select * from pins where tool_name <> 'c' order by tool_name")
    await migrate.migrate(conn)
    assert await conn.fetch("select * from pins order by tool_name") == in_force
    found = await stops_of(conn, None, ended=True)
    assert [(each.tool_name, each.reason, each.ended_how) for each in found] == [
        ("c", "why c", "expired"),
        ("b", "why b", None),
        ("a", "why a", None),
    ]
    assert {each.began_at for each in found} == {NOW - timedelta(hours=1)}
    assert await begin_stop(conn, "pin", "c") is not None
    assert await end_stop(conn, "pin", "a") is not None
    assert [row["tool_name"] for row in await conn.fetch("select * from pins")] == ["b", "c"]


async def test_who_could_work_can_still_work(conn: Connection) -> None:
    reader, writer, applier, nobody = (f"{name}_{uuid4().hex[:8]}" for name in "rwan")
    for name in (reader, writer, applier, nobody):
        await conn.execute(f"create role {name}")
    await conn.execute(f"grant select on pins to {reader}, {writer}, {applier}")
    await conn.execute(f"grant insert, update, delete on pins to {writer}")
    await conn.execute(f"grant insert on rollbacks to {applier}")
    await conn.execute(f"grant select on rollbacks to {nobody}")
    await migrate.migrate(conn)

    async def may(role: str, right: str, table: str = "stops") -> bool:
        return bool(
            await conn.fetchval(
                "select has_table_privilege($1, $2, $3) or has_any_column_privilege($1, $2, $3)"
                if right != "delete"
                else "select has_table_privilege($1, $2, $3)",
                *(role, table, right),
            )
        )

    views = ("pins", "stops_in_force", "untrusted_code")
    for role in (reader, writer, applier):
        assert [await may(role, "select", each) for each in ("stops", *views)] == [True] * 4
    rights = ("select", "insert", "update", "delete")
    assert [await may(reader, each) for each in rights] == [True, False, False, False]
    assert [await may(writer, each) for each in rights] == [True, True, True, False]
    assert [await may(applier, each) for each in rights] == [True, True, True, False]
    assert [await may(nobody, each) for each in rights] == [False] * 4
