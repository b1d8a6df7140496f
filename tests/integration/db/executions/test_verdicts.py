"""Later verdicts are stored once within their tool, whether or not their execution is known."""

from datetime import timedelta
from uuid import UUID

from db.executions.recording import LogEntry, record
from db.executions.verdicts import verdict_is_recorded
from db.postgres.pool import Connection
from db.versions.reading import history
from db.versions.reading import version as read_version
from db.versions.verdicts import VerdictsOnVersion, verdicts_on
from schemas.later_verdict import LaterVerdict, verdict_id_of
from tests.support.inputs.stored import NOW, TOPIC, deploy_all, entry, verdict


async def record_from(conn: Connection, start: int, *verdicts: LaterVerdict) -> int:
    entries = [LogEntry(start + index, each) for index, each in enumerate(verdicts)]
    return await record(conn, TOPIC, 0, start, start + len(entries), entries)


async def test_a_verdict_is_stored_as_it_was_given(conn: Connection) -> None:
    (version,) = await deploy_all(conn, "one")
    given = verdict(version_id=version, why="x\0y")
    assert await record_from(conn, 0, given) == 0
    row = await conn.fetchrow("select * from later_verdicts")
    assert row is not None
    assert dict(row) == {
        "tool_name": "parser",
        "verdict_id": given.verdict_id,
        "execution_id": given.execution_id,
        "version_id": version,
        "bad": True,
        "judged_by": "judge",
        "why": "x\u2400y",
        "judged_at": NOW,
        "log_offset": 0,
    }
    assert await verdict_is_recorded(conn, "parser", given.verdict_id)
    assert not await verdict_is_recorded(conn, "other", given.verdict_id)


async def test_the_reason_is_a_text_that_may_not_be_kept(conn: Connection) -> None:
    entries = [LogEntry(0, verdict(why="Ann says so"))]
    await record(conn, TOPIC, 0, 0, 1, entries, "class")
    row = await conn.fetchrow("select judged_by, why from later_verdicts")
    assert row is not None
    assert tuple(row) == ("judge", None)


async def test_a_verdict_counts_once_within_its_tool(conn: Connection) -> None:
    first = verdict(bad=False)
    again = first.model_copy(update={"bad": True})
    other = first.model_copy(update={"tool_name": "other"})
    await record_from(conn, 0, first, again, other)
    await record_from(conn, 3, again, verdict())
    await record_from(conn, 0, verdict())  # read a second time
    on = await verdicts_on(conn, "parser", [1, 2])
    assert on.keys() == {1}
    assert (on[1].judged, on[1].bad) == (2, 1)
    on = await verdicts_on(conn, "other", [1])
    assert (on[1].judged, on[1].bad, on[1].newest_bad) == (1, 0, [])


async def test_the_newest_bad_verdicts_on_a_version_are_shown_with_it(conn: Connection) -> None:
    one, two = await deploy_all(conn, "one", "two")
    given = [
        verdict(version_id=one, why=f"reason {n}", judged_at=NOW + timedelta(seconds=n), bad=n != 2)
        for n in range(6)
    ]
    await record_from(conn, 0, *given)
    newest, oldest = await history(conn, "parser", 10)
    assert newest.version_id == two
    assert newest.later_verdicts == VerdictsOnVersion()
    shown = oldest.later_verdicts
    assert (shown.judged, shown.bad) == (6, 5)
    assert [each.why for each in shown.newest_bad] == ["reason 5", "reason 4", "reason 3"]
    assert [each.execution_id for each in shown.newest_bad] == [
        each.execution_id for each in given[:2:-1]
    ]
    found = await read_version(conn, "parser", one)
    assert found is not None
    assert found.later_verdicts == shown


async def test_executions_and_verdicts_of_one_batch_are_stored(conn: Connection) -> None:
    (version,) = await deploy_all(conn, "one")
    executed = entry(version_id=version)
    judged = verdict(execution_id=executed.execution_id, version_id=version)
    entries = [LogEntry(0, judged), LogEntry(1, executed)]
    assert await record(conn, TOPIC, 0, 0, 2, entries) == 1
    assert (
        await conn.fetchval(
            "select count(*) from later_verdicts natural join (select execution_id, tool_name from "
            "tool_executions) as executed"
        )
        == 1
    )


def test_one_judge_says_the_same_with_the_same_id() -> None:
    execution_id = UUID(int=7)
    assert verdict_id_of(execution_id, "a") == verdict_id_of(execution_id, "a")
    assert verdict_id_of(execution_id, "a") != verdict_id_of(execution_id, "b")
    assert verdict_id_of(execution_id, "a") != verdict_id_of(UUID(int=8), "a")
