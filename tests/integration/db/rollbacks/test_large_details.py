"""Reading commands whose details were stored before they had a limit."""

import json
from typing import Any

from db.postgres.pool import Connection
from db.postgres.sql import blocks
from db.rollbacks.records import RollbackRecord, held, rollback_of, rollbacks
from db.rollbacks.trust import trust_losses
from db.versions.reading import history
from schemas.deployment import code_hash_of
from schemas.rollback import MAX_DETAILS_BYTES, CommandKey
from tests.support.inputs.stored import automatic, command, deploy_all, roll_back

SQL = blocks("rollbacks/records.sql")
MOST = 2 * MAX_DETAILS_BYTES


async def store(conn: Connection, key: CommandKey, details: dict[str, Any]) -> None:
    """Put details of any size into the row of a command."""
    sql = "update rollbacks set details = $2 where command_id = $1"
    await conn.execute(sql, key.command_id, details)


async def test_large_details_are_left_out_by_every_reader(conn: Connection) -> None:
    [_, second] = await deploy_all(conn, "one", "two")
    outcome = await automatic(conn)
    large = {"recent": ["x"] * 10, "more": "x" * 3_900_000}
    await store(conn, outcome.key, large)
    size = len(json.dumps(large))  # Postgres writes it with the same blanks
    expected = {"left_out": f"{size} bytes of details"}

    async def shown() -> list[RollbackRecord]:
        one = await rollback_of(conn, outcome.key)
        assert one is not None
        about = [each for version in await history(conn, "parser", 9) for each in version.rollbacks]
        of_all, of_tool = [
            await rollbacks(conn, tool, since=None, limit=9) for tool in (None, "parser")
        ]
        return [one, *about, *of_all, *of_tool]

    assert [each.details for each in await shown()] == [expected] * 4
    lost = (await trust_losses(conn, [("parser", code_hash_of("two"))]))["parser"]
    assert (lost.from_version_id, lost.details) == (second, expected)
    kept = await conn.fetchval("select details from rollbacks")
    assert kept == large


async def test_a_held_command_with_large_details_is_listed(conn: Connection) -> None:
    await deploy_all(conn, "one", "two")
    outcome = await automatic(conn, mode="hold")
    await store(conn, outcome.key, {"more": "x" * MOST})
    [listed] = await held(conn, None)
    assert list(listed.details) == ["left_out"]


async def test_details_that_a_command_may_have_are_shown_whole(conn: Connection) -> None:
    numbers = [1] * (MAX_DETAILS_BYTES // 2 - 10)  # Postgres writes a blank after each comma
    for details in ({"n": numbers}, {"t": "\x01" * 10_000}, {"t": "x" * (MAX_DETAILS_BYTES - 8)}):
        outcome = await roll_back(conn, command(details=details))
        found = await rollback_of(conn, outcome.key)
        assert found is not None
        assert found.details == details


async def test_the_largest_details_that_are_shown(conn: Connection) -> None:
    outcome = await roll_back(conn, command())
    fits = MOST - len('{"t": ""}')
    for length, names in ((fits, ["t"]), (fits + 1, ["left_out"])):
        await store(conn, outcome.key, {"t": "x" * length})
        found = await rollback_of(conn, outcome.key)
        assert found is not None
        assert list(found.details) == names


async def test_only_the_details_of_the_rows_that_are_asked_for_are_measured(
    conn: Connection,
) -> None:
    """Otherwise the newest two of many large ones would cost as much as all of them."""
    outcomes = [await roll_back(conn, command()) for _ in range(30)]
    for outcome in outcomes:
        await store(conn, outcome.key, {"more": "x" * MOST})
    await conn.execute("set enable_indexscan = off")  # as for a small table
    explain = "explain (analyze, verbose, costs off, timing off)"
    plan = await conn.fetch(f"{explain} {SQL['newest']}", None, 2)
    lines = [row[0] for row in plan]
    measured = max(number for number, line in enumerate(lines) if "shown_details(" in line)
    assert "rows=2" in lines[measured - 1]
