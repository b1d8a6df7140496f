"""The SQL statements of the seed: their answers, and that none of them scans all executions.

They are as in the seed, except for blanks at the ends of lines.
"""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from db.executions.queries import newest_executions
from db.postgres.pool import Connection, connect
from db.postgres.sql import blocks
from db.versions.metrics import recount
from db.versions.reading import history
from tests.support.inputs.stored import NOW, deploy, deployment, execution, record_all
from tests.support.servers.postgres import execute

HISTORY_WITH_METRICS = """
SELECT
    tool_name,
    version_number,
    created_at,
    created_by,
    success_rate,
    improvement_type,
    success_rate - LAG(success_rate) OVER (
        PARTITION BY tool_name
        ORDER BY version_number
    ) AS success_rate_change
FROM tool_versions
ORDER BY tool_name, version_number DESC;
"""

STABILITY = """
SELECT
    tool_name,
    COUNT(*) as total_versions,
    COUNT(*) FILTER (WHERE is_breaking_change) as breaking_changes,
    MAX(version_number) as current_version
FROM tool_versions
GROUP BY tool_name
ORDER BY breaking_changes DESC;
"""

CURRENT_VERSIONS = """
SELECT
    tool_name,
    version_number,
    created_at,
    created_by,
    success_rate,
    total_executions
FROM tool_versions
WHERE is_current = TRUE
ORDER BY tool_name;
"""

WITH_BREAKING_CHANGES = """
SELECT
    tool_name,
    version_number,
    created_at,
    improvement_reason
FROM tool_versions
WHERE is_breaking_change = TRUE
ORDER BY created_at DESC;
"""

COMPARISON = """
SELECT
    v1.tool_name,
    v1.version_number as from_version,
    v2.version_number as to_version,
    v1.success_rate as old_success_rate,
    v2.success_rate as new_success_rate,
    v2.success_rate - v1.success_rate as improvement
FROM tool_versions v1
JOIN tool_versions v2 ON v1.tool_name = v2.tool_name
                     AND v2.previous_version_id = v1.version_id
WHERE v2.created_by = 'autonomous'
ORDER BY improvement DESC;
"""

NEEDING_ROLLBACK = """
-- Query recent executions for fast rollback check
SELECT
    tool_name,
    executed_at,
    success,
    error
FROM tool_executions
WHERE tool_name = 'my_tool'
  AND executed_at > NOW() - INTERVAL '5 minutes'
ORDER BY executed_at DESC
LIMIT 10;
"""

STATEMENTS: Final = {
    "version_history_with_metrics": HISTORY_WITH_METRICS,
    "version_stability": STABILITY,
    "current versions": CURRENT_VERSIONS,
    "breaking changes": WITH_BREAKING_CHANGES,
    "comparison": COMPARISON,
    "needing rollback": NEEDING_ROLLBACK,
}

OTHER: Final = '工具 "x"'


@pytest.fixture
async def conn(database_dsn: str) -> AsyncIterator[Connection]:
    conn = await connect(database_dsn)
    yield conn
    await conn.close()


@pytest.fixture
async def filled(conn: Connection) -> Connection:
    """Deploy two tools and record executions.

    Of `my_tool`, 9 of 10 executions of version 1 succeeded, and 1 of 4 of version 2, which is
    breaking; version 3 has none. Of the other tool, 1 of 2 of its only version succeeded.
    """
    ids = []
    for number, (tool, by, breaking) in enumerate(
        [
            ("my_tool", "human", False),
            ("my_tool", "autonomous", True),
            ("my_tool", "autonomous", False),
            (OTHER, "human", False),
        ]
    ):
        request = deployment(
            f"code {number}",
            tool,
            created_by=by,
            deployed_at=created(number),
            improvement_reason=f"reason {number}",
        )
        outcome = await deploy(conn, request, ["run() is gone"] if breaking else [], breaking)
        ids.append(outcome.version_id)
    for index, executions, successes in ((0, 10, 9), (1, 4, 1), (3, 2, 1)):
        tool = OTHER if index == 3 else "my_tool"
        for number in range(executions):
            good = number < successes
            error = None if good else "TypeError: no"
            await record_all(conn, execution(tool, good, version_id=ids[index], error=error))
    return conn


def created(number: int) -> datetime:
    return NOW + timedelta(hours=number)


async def answer(conn: Connection, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await conn.fetch(sql)]


class TestAnswers:
    async def test_history_with_metrics(self, filled: Connection) -> None:
        expected = [
            ("my_tool", 3, created(2), "autonomous", None, "bug_fix", None),
            ("my_tool", 2, created(1), "autonomous", 0.25, "bug_fix", 0.25 - 0.9),
            ("my_tool", 1, created(0), "human", 0.9, "bug_fix", None),
            (OTHER, 1, created(3), "human", 0.5, "bug_fix", None),
        ]
        assert await answer(filled, HISTORY_WITH_METRICS) == expected
        assert await answer(filled, "select * from version_history_with_metrics") == expected

    async def test_stability(self, filled: Connection) -> None:
        expected = [("my_tool", 3, 1, 3), (OTHER, 1, 0, 1)]
        assert await answer(filled, STABILITY) == expected
        assert await answer(filled, "select * from version_stability") == expected

    @pytest.mark.parametrize("view", ["version_history_with_metrics", "version_stability"])
    async def test_the_views_have_the_columns_of_their_bodies(
        self, conn: Connection, view: str
    ) -> None:
        of_view = await conn.prepare(f"select * from {view}")
        of_body = await conn.prepare(STATEMENTS[view])
        assert [(each.name, each.type) for each in of_view.get_attributes()] == [
            (each.name, each.type) for each in of_body.get_attributes()
        ]

    async def test_current_versions(self, filled: Connection) -> None:
        assert await answer(filled, CURRENT_VERSIONS) == [
            ("my_tool", 3, created(2), "autonomous", None, 0),
            (OTHER, 1, created(3), "human", 0.5, 2),
        ]

    async def test_breaking_changes(self, filled: Connection) -> None:
        assert await answer(filled, WITH_BREAKING_CHANGES) == [
            ("my_tool", 2, created(1), "reason 1")
        ]

    async def test_comparison(self, filled: Connection) -> None:
        """What is not known yet comes first: Postgres puts nulls there."""
        assert await answer(filled, COMPARISON) == [
            ("my_tool", 2, 3, 0.25, None, None),
            ("my_tool", 1, 2, 0.9, 0.25, 0.25 - 0.9),
        ]

    async def test_needing_rollback(self, filled: Connection) -> None:
        """At most ten of this tool's, of the last five minutes, the newest first."""
        assert await answer(filled, NEEDING_ROLLBACK) == []
        now = datetime.now(UTC)
        await record_all(
            filled,
            execution(OTHER, executed_at=now),
            execution("my_tool", executed_at=now - timedelta(minutes=6)),
            execution("my_tool", False, executed_at=now - timedelta(seconds=99), error="E: no"),
        )
        assert await answer(filled, NEEDING_ROLLBACK) == [
            ("my_tool", now - timedelta(seconds=99), False, "E: no")
        ]
        times = [now - timedelta(seconds=second) for second in range(20)]
        await record_all(filled, *(execution("my_tool", executed_at=each) for each in times))
        assert await answer(filled, NEEDING_ROLLBACK) == [
            ("my_tool", each, True, None) for each in times[:10]
        ]


VERSIONS: Final = 10_000
EACH: Final = 20
"""Executions of a version: 200,000 in all, one a second. With more, a scan would cost even more."""

FILL: Final = (
    # Ids that grow, and indexes built at the end: a third of the time.
    "alter table tool_executions drop constraint tool_executions_pkey",
    "drop index tool_executions_tool, tool_executions_version_log",
    f"""
    insert into tool_versions (
        tool_name, version_number, code, code_hash, created_at, created_by, is_current,
        is_breaking_change, improvement_type, previous_version_id, activation, total_executions,
        successful_executions, success_rate
    )
    select
        'my_tool', n, repeat(md5(n::text), 60), repeat(md5(n::text), 2),
        now() - make_interval(secs => {VERSIONS} - n), 'autonomous', n = {VERSIONS}, n % 20 = 0,
        'bug_fix', nullif(n - 1, 0), n, {EACH}, {EACH * 9 // 10}, 0.9
    from generate_series(1, {VERSIONS}) n
    """,
    f"""
    insert into tool_executions (
        execution_id, tool_name, version_id, success, error, error_type, executed_at, duration_ms,
        session_id, log_offset
    )
    select
        lpad(to_hex(n), 32, '0')::uuid, 'my_tool', 1 + (n - 1) / {EACH}, n % 10 > 0,
        case when n % 10 = 0 then 'TypeError: no' end, case when n % 10 = 0 then 'TypeError' end,
        now() - make_interval(secs => {VERSIONS * EACH} - n), 1.5, 's', n
    from generate_series(1, {VERSIONS * EACH}) n
    """,
    """
    insert into rollbacks
    select
        gen_random_uuid(), 'my_tool', n, n - 1, n - 1, 'fast', 'complete_failure', '{"recent": []}',
        'detector', now(), 'applied', null, now() - make_interval(secs => 20000 - n)
    from generate_series(2, 10000, 3) n
    """,
    "alter table tool_executions add primary key (execution_id, tool_name)",
)


async def fill(dsn: str) -> None:
    conn = await connect(dsn)
    sql = "select indexname, indexdef from pg_indexes where tablename = 'tool_executions'"
    indexes = {row["indexname"]: row["indexdef"] for row in await conn.fetch(sql)}
    await conn.close()
    dropped = [indexes["tool_executions_tool"], indexes["tool_executions_version_log"]]
    await execute(dsn, *FILL, *dropped, "vacuum analyze")


@pytest.fixture
async def filled_much(database_dsn: str) -> AsyncIterator[Connection]:
    """Yield a database with 10,000 versions of 20 executions each, every third rolled back."""
    await fill(database_dsn)
    conn = await connect(database_dsn)
    yield conn
    await conn.close()


def scanned(plan: Any) -> set[str]:
    """Return the tables that any part of a plan reads as a whole."""
    if isinstance(plan, list):
        return set().union(*map(scanned, plan))
    if not isinstance(plan, dict):
        return set()
    found = set().union(*map(scanned, plan.values()))
    is_scan = plan.get("Node Type") == "Seq Scan"
    return found | {plan["Relation Name"]} if is_scan else found


ID: Final = "00000000-0000-0000-0000-000000030d40"
IDS: Final = f"{{{ID},{ID}}}"
KEYS: Final = ("{my_tool,other}", IDS, "{t,f}")

NEWEST: Final = blocks("executions/queries.sql")["newest_of_version"]
READS: Final = {
    "newest_executions": (NEWEST, "my_tool", 5_000, 10, None, None),
    "newest_executions of a time": (NEWEST, "my_tool", 5_000, 50, NOW, NOW),
    "known": (blocks("executions/recording.sql")["known"], "{my_tool,other}", IDS),
    "executions_by_id": (blocks("executions/queries.sql")["by_id"], IDS, "my_tool"),
    "errors": (blocks("executions/queries.sql")["errors"], IDS, "my_tool"),
    "recount": (blocks("versions/metrics.sql")["count"], "my_tool", 5_000),
    "history": (blocks("versions/reading.sql")["history"], "my_tool", 50, None),
    "current": (blocks("versions/reading.sql")["current"], "{my_tool,other}"),
    "tools before a deployment": (blocks("versions/deploying.sql")["tools"], "{my_tool,other}"),
    "rollbacks": (blocks("rollbacks/records.sql")["newest"], None, 50),
    "rollbacks of a tool": (
        blocks("rollbacks/records.sql")["newest_of_tool"],
        None,
        50,
        "my_tool",
    ),
    "rollbacks about versions": (blocks("rollbacks/records.sql")["about"], "my_tool", "{2,5,8}"),
    "rollbacks by key": (blocks("rollbacks/records.sql")["among"], *KEYS),
    "commands that begin alike": (blocks("rollbacks/records.sql")["between"], ID, ID, None, 11),
    "facts for a rollback": (
        blocks("rollbacks/facts.sql")["tools"],
        "{my_tool,other}",
        "{5000,7}",
        "{4999,6}",
    ),
    "stops about deployments": (
        blocks("stops/reading.sql")["of_deployments"],
        "{my_tool,other}",
        "{x,y}",
    ),
    "stops of a tool": (
        blocks("stops/reading.sql")["page"],
        *("my_tool", None, True, None, None, 100),
    ),
    "commands known": (blocks("rollbacks/facts.sql")["stored"], *KEYS, "{f,t}"),
    "targets": (
        blocks("rollbacks/trust.sql")["way_back"],
        "{my_tool,other}",
        "{5000,7}",
        "{null,null}",
        "{16,1}",
    ),
}


@pytest.mark.timeout(540)
async def test_at_many_executions(
    filled_much: Connection, subtests: pytest.Subtests
) -> None:  # one test, because the executions take seconds to write
    for name, statement in STATEMENTS.items():
        with subtests.test("no statement of the seed scans them", name=name):
            plan = await filled_much.fetchval(f"explain (format json) {statement}")
            assert "tool_executions" not in scanned(json.loads(plan))
    for name in READS:
        for plans in ("force_custom_plan", "force_generic_plan"):
            with subtests.test("no read of ours scans a table", name=name, plans=plans):
                await _no_scan(filled_much, name, plans)
    with subtests.test("a scan would be seen"):
        sql = "select * from (select count(*) from tool_executions where duration_ms > 0) x"
        plan = await filled_much.fetchval(f"explain (format json) {sql}")
        assert scanned(json.loads(plan)) == {"tool_executions"}
    with subtests.test("what is read is right"):
        found = await newest_executions(filled_much, "my_tool", 5_000, 10)
        assert [each.log_offset for each in found] == list(range(100_000, 99_990, -1))
        counted = await recount(filled_much, "my_tool", 5_000)
        assert counted is not None
        assert (counted.changed, counted.after.successful_executions) == (False, 18)
        versions = await history(filled_much, "my_tool", 50)
        assert len(versions) == 50
        assert sum(len(each.rollbacks) for each in versions) == 16


async def _no_scan(filled_much: Connection, name: str, plans: str) -> None:
    """Require it of a read, planned for its values or for any values."""
    sql, *values = READS[name]
    await filled_much.execute(f"set plan_cache_mode = {plans}")
    await filled_much.execute(f"prepare read as {sql}")
    try:
        given = ", ".join("null" if value is None else f"'{value}'" for value in values)
        plan = await filled_much.fetchval(f"explain (format json) execute read({given})")
        assert scanned(json.loads(plan)) <= {"distrusted_code", "stops"}  # nothing is in them
    finally:
        await filled_much.execute("deallocate read; reset plan_cache_mode")
