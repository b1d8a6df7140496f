"""What engines say and what they execute, in Postgres: bounded, and exact after any repetition."""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from db.engines.executed import CurrentVersion, note_executed
from db.engines.listing import AfterEngine, EngineRow, engines, forget_silent
from db.engines.reports import ReceivedReport, store_reports
from db.postgres.pool import Connection
from policy.engines import state_of
from schemas.engine_report import EndedEngine, EngineReport
from schemas.execution_entry import ExecutionEntry
from tests.support.inputs.stored import activation, deploy_all, entry, execution, record_all

NOW = datetime.now(UTC).replace(microsecond=0)
SILENT_S = 12 * 3600
"""Much longer than tests take: the database's clock goes on after NOW."""


def report(
    version_id: int, number: int = 1, engine_id: str = "e7", at_s: int = 0, **fields: Any
) -> ReceivedReport:
    values: dict[str, Any] = {
        "engine_id": engine_id,
        "tool_name": "parser",
        "version_id": version_id,
        "version_number": number,
        "activation": number,
        "ok": True,
        "loaded_at": NOW,
    }
    return ReceivedReport(EngineReport(**values | fields), NOW + timedelta(seconds=at_s))


class Seen(NamedTuple):
    execution: ExecutionEntry
    current: CurrentVersion


def seen(version_id: int, engine_id: str, at: datetime = NOW) -> Seen:
    """Return an execution of the current version, which is the first activation."""
    executed = entry(version_id=version_id, engine_id=engine_id, executed_at=at)
    return Seen(executed, CurrentVersion(version_id, 1))


async def listed(conn: Connection, tool: str | None = None) -> list[EngineRow]:
    return await engines(conn, tool, SILENT_S)


def state(row: EngineRow) -> str:
    return state_of(row.current_version_id, row.current_activation, row.reported, row.executed)


async def test_the_newest_report_of_each_engine_and_tool_is_kept(conn: Connection) -> None:
    one, two = await deploy_all(conn, "one", "two")
    [other] = await deploy_all(conn, "one", tool="other")
    failed = report(two, 2, at_s=3, ok=False, error="ImportError: x", error_type="ImportError")
    batch = [
        report(one),
        report(one, at_s=1, engine_id="e8"),
        report(other, at_s=1, tool_name="other"),
        failed,
    ]
    for _ in range(2):  # a batch that is read again changes nothing
        assert await store_reports(conn, batch) == set()
        assert await store_reports(conn, batch[:1]) == set()
        rows = await listed(conn)
        assert [(each.tool_name, each.engine_id, state(each)) for each in rows] == [
            ("other", "e7", "current"),
            ("parser", "e7", "failed"),
            ("parser", "e8", "stale"),
        ]
    assert (rows[1].error, rows[1].error_type) == ("ImportError: x", "ImportError")
    assert await store_reports(conn, [failed], keep_errors="class") == set()
    [row] = await listed(conn, "other")
    [shown, _] = await listed(conn, "parser")
    assert (row.engine_id, shown.error, shown.error_type) == ("e7", None, "ImportError")


async def test_an_engine_that_has_ended_is_not_listed_unless_it_has_reported_since(
    conn: Connection,
) -> None:
    [one] = await deploy_all(conn, "one")
    ended = ReceivedReport(EndedEngine("e7", "parser"), NOW + timedelta(seconds=5))
    await store_reports(conn, [report(one), report(one, engine_id="e8"), ended])
    await store_reports(conn, [report(one)])  # it is read again
    await note_executed(conn, [seen(one, "e7")])  # it is recorded later
    assert [each.engine_id for each in await listed(conn)] == ["e8"]
    await store_reports(conn, [report(one, at_s=6)])
    await store_reports(conn, [ended])
    assert [each.engine_id for each in await listed(conn)] == ["e7", "e8"]


async def test_pages_and_those_that_may_be_stale(conn: Connection) -> None:
    one, two = await deploy_all(conn, "one", "two")
    reports = [
        *(report(one, 1, "silent-about-two"), report(two, 2, "e1"), report(two, 2, "ran-one")),
        *(report(one, 1, "ran-two"), report(two, 2, "failed", ok=False)),
    ]
    await store_reports(conn, reports)
    later = NOW + timedelta(seconds=1)
    ran = [("ran-one", one), ("ran-two", two), ("says-nothing", one), ("x", two)]
    await note_executed(
        conn,
        [
            Seen(
                entry(version_id=version_id, engine_id=engine, executed_at=later),
                CurrentVersion(two, 2),
            )
            for engine, version_id in ran
        ],
    )
    rows = await listed(conn)
    names = [each.engine_id for each in rows]
    assert names == ["e1", "failed", "ran-one", "ran-two", "says-nothing", "silent-about-two", "x"]
    stale = [each for each in rows if state(each) == "stale"]
    assert [each.engine_id for each in stale] == ["ran-one", "says-nothing", "silent-about-two"]
    maybe = await engines(conn, None, SILENT_S, maybe_stale=True)
    assert [each for each in maybe if state(each) == "stale"] == stale
    assert {each.engine_id for each in maybe} == {
        *(each.engine_id for each in stale),
        *("ran-two", "failed"),
    }
    for only_maybe, expected in ((False, rows), (True, maybe)):
        found: list[EngineRow] = []
        while page := await engines(
            conn,
            "parser",
            SILENT_S,
            after=AfterEngine(*found[-1][:2]) if found else None,
            limit=2,
            maybe_stale=only_maybe,
        ):
            found += page
        assert found == expected


async def test_invented_versions_and_engines(conn: Connection) -> None:
    [one] = await deploy_all(conn, "one")
    [other] = await deploy_all(conn, "one", tool="other")
    batch = [
        report(other),
        report(one),
        report(one, tool_name="nobody deployed it"),
        report(999),
    ]
    assert await store_reports(conn, batch) == {0, 2, 3}
    invented = [report(one, engine_id=f"e{number}", at_s=1) for number in range(20)]
    for _ in range(2):
        assert await store_reports(conn, invented, most=4) == set()
    names = [each.engine_id for each in await listed(conn)]
    assert names == ["e0", "e1", "e10", "e7"]
    await store_reports(conn, [report(one, at_s=2, ok=False)], most=4)
    assert [state(each) for each in await listed(conn)].count("failed") == 1
    await note_executed(conn, [seen(one, f"x{number}") for number in range(9)], most=5)
    assert await conn.fetchval("select count(*) from engine_executions") == 5


async def test_executions_of_a_version_that_is_not_current_any_more_are_counted(
    conn: Connection,
) -> None:
    one, two, three = await deploy_all(conn, "one", "two", "three")
    [other] = await deploy_all(conn, "one", tool="other")

    def ran(version_id: int | None, engine_id: str | None = "e7", **fields: Any) -> Any:
        values: dict[str, Any] = {
            "version_id": version_id,
            "engine_id": engine_id,
            "executed_at": NOW,
        }
        return execution(**values | fields)

    again = ran(one)
    await record_all(
        conn,
        *(activation(one, 1), ran(one), ran(None), ran(one, None)),
        *(activation(two, 2), ran(two, "e8"), ran(one), again, again),
        *(ran(other), ran(999)),  # no versions of this tool
    )
    await record_all(conn, again, ran(one, duration_ms=1e300))
    rows = {each.engine_id: each for each in await listed(conn)}
    assert {name: each.stale_executions for name, each in rows.items()} == {"e7": 3, "e8": 0}
    assert rows["e7"].executed_activation == 2
    assert (rows["e7"].executed_version_id, rows["e8"].executed_version_id) == (one, two)
    assert rows["e7"].began_at == NOW - timedelta(days=1)
    # Each activation begins anew, also in the middle of a batch.
    await record_all(conn, ran(one), activation(three, 3), ran(two), ran(two))
    rows = {each.engine_id: each for each in await listed(conn)}
    assert (rows["e7"].stale_executions, rows["e7"].executed_version_id) == (2, two)
    assert (rows["e8"].executed_activation, state(rows["e8"])) == (2, "unknown")
    assert state(rows["e7"]) == "stale"
    await record_all(conn, ran(three))
    [row, _] = await listed(conn)
    assert (state(row), row.stale_executions) == ("current", 2)


async def test_silent_engines_are_not_listed_and_forgotten(conn: Connection) -> None:
    [one] = await deploy_all(conn, "one")
    await store_reports(
        conn, [report(one, engine_id="a", at_s=-SILENT_S * 2), report(one, at_s=-SILENT_S * 2)]
    )
    await note_executed(conn, [seen(one, "e7"), seen(one, "b", NOW - timedelta(days=30))])
    assert [each.engine_id for each in await listed(conn)] == ["e7"]
    long_ago = NOW - timedelta(seconds=SILENT_S + 1)
    await store_reports(conn, [report(one, engine_id="c", at_s=-SILENT_S * 3)])
    await store_reports(conn, [ReceivedReport(EndedEngine("c", "parser"), long_ago)])
    await note_executed(conn, [seen(one, "c")])
    assert await forget_silent(conn, SILENT_S) == 3
    assert [each.engine_id for each in await listed(conn)] == ["e7"]
    [row] = await listed(conn)
    assert row.reported is not None
    assert await forget_silent(conn, SILENT_S) == 0
