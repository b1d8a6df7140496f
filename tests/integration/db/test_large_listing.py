"""What the console asks of a large database: no question reads all executions."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from console.states import StatesNow
from console.tools_now import Wanted, tools_of_postgres
from db.engines.listing import engines
from db.executions.queries import (
    MOST_LOOKED_AT,
    AfterExecution,
    ExecutionsWanted,
    executions_page,
)
from db.executions.sampling import OF_EACH, SPANS, sampled
from db.postgres.pool import Connection, connect
from db.postgres.sql import blocks
from db.rollbacks.costs import (
    AFTERWARDS,
    MOST_OF_EACH,
    MOST_OF_ONE,
    call_spans,
    calls_around,
    concerned_by,
)
from db.rollbacks.records import AfterRollback, RollbacksWanted, rollbacks_page
from db.versions.listing import current_activations, listed_tools
from tests.support.inputs.stored import NOW
from tests.support.servers.postgres import PostgresServer

TOOLS, EXECUTIONS, ROLLBACKS, ENGINES = 10_000, 100_000, 10_000, 20_000


@pytest.fixture(scope="module")
def large(postgres_server: PostgresServer) -> Iterator[str]:
    with postgres_server.database() as dsn:
        yield dsn


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def _filled(large: str) -> None:
    """Fill the tables; the tool `busy` has nine tenths of the executions, one in 20,000 failed."""
    conn = await connect(large)
    try:
        await conn.execute(
            f"""
            insert into tool_versions (tool_name, version_number, code, code_hash, is_current,
                activation, created_by, improvement_type)
            select case number when 1 then 'busy' else 'tool-' || lpad(number::text, 6, '0') end,
                1, 'code', lpad(number::text, 64, '0'), true, 1, 'human', 'initial'
            from generate_series(1, {TOOLS}) number;
            insert into tool_executions (execution_id, tool_name, version_id, success, executed_at,
                log_offset, error)
            select gen_random_uuid(), version.tool_name, version.version_id, number % 20000 <> 0,
                '{NOW.isoformat()}'::timestamptz + number * interval '1 s', number,
                case when number % 20000 = 0 then 'ValueError: no' end
            from generate_series(1, {EXECUTIONS}) number
            join tool_versions version
                on version.version_id = case when number % 10 = 0 then 2 + number % 9000 else 1 end;
            insert into rollbacks (command_id, tool_name, from_version_id,
                to_version_id, tier, reason, details, issued_by, issued_at, status, applied_at)
            select gen_random_uuid(), version.tool_name, version.version_id,
                version.version_id, 'immediate', 'complete_failure', '{{}}', 'detector',
                '{NOW.isoformat()}', 'applied',
                '{NOW.isoformat()}'::timestamptz + number * interval '1 s'
            from generate_series(1, {ROLLBACKS}) number
            join tool_versions version on version.version_id = 1 + number % 100;
            insert into engine_reports (tool_name, engine_id, version_id, activation, ok, loaded_at,
                reported_at)
            select tool_name, 'engine-' || engine, version_id, 1, true, now(), now()
            from tool_versions, generate_series(1, 10) engine
            where version_id <= {ENGINES} / 10;
            insert into engine_executions (tool_name, engine_id, version_id, activation,
                stale_executions, began_at, executed_at)
            select tool_name, engine_id, version_id, 1, 0, now(), now() from engine_reports;
            """
        )
        await conn.execute("analyze")
    finally:
        await conn.close()


@pytest_asyncio.fixture
async def conn(_filled: None, large: str) -> AsyncIterator[Connection]:
    conn = await connect(large)
    yield conn
    await conn.close()


async def plan(conn: Connection, sql: str, *arguments: Any) -> list[dict[str, Any]]:
    """Run a query, and return the nodes of its plan."""
    [[text]] = await conn.fetch(f"explain (analyze, timing off, format json) {sql}", *arguments)
    return list(_nodes(json.loads(text)[0]["Plan"]))


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for inner in node.get("Plans", ()):
        yield from _nodes(inner)


def rows_read(nodes: list[dict[str, Any]], table: str) -> float:
    """Return how many rows of a table were read, also those that a filter left out."""
    rows: float = sum(
        (each["Actual Rows"] + each.get("Rows Removed by Filter", 0)) * each["Actual Loops"]
        for each in nodes
        if each.get("Relation Name") == table
    )
    return rows


@pytest.mark.parametrize("after", [None, "tool-005000"])
async def test_a_page_of_tools_looks_up_no_more_than_its_tools(
    conn: Connection, after: str | None
) -> None:
    sql = blocks("versions/listing.sql")["tools"]
    nodes = await plan(conn, sql, after, None, None, 101)
    assert rows_read(nodes, "tool_executions") == 0
    assert rows_read(nodes, "rollbacks") <= 2 * ROLLBACKS / 100 * 101
    looked_up = [each for each in nodes if each.get("Relation Name") in ("rollbacks", "stops")]
    assert all(each["Actual Loops"] <= 101 for each in looked_up), looked_up
    found = await listed_tools(conn, after=after, limit=101)
    assert len(found) == 101
    assert [each.tool_name for each in found] == sorted(each.tool_name for each in found)


async def test_parts_of_names_and_all_activations(conn: Connection) -> None:
    found = await listed_tools(conn, part="TOOL-00999", limit=50)
    assert [each.tool_name for each in found] == [f"tool-00999{digit}" for digit in range(10)]
    assert len(await current_activations(conn, limit=2 * TOOLS)) == TOOLS
    assert [name for name, _ in await current_activations(conn, limit=2)] == ["busy", "tool-000002"]
    part = await current_activations(conn, after="tool-009998", part="99", limit=10)
    assert part == [("tool-009999", 1)]


@pytest.mark.parametrize("part", [None, "99"])
@pytest.mark.parametrize("state", ["healthy", "suspect", "unknown", "condemned"])
async def test_tools_in_a_state_are_all_found(
    conn: Connection, state: str, part: str | None
) -> None:
    def state_of(number: int) -> str:
        if number % 1_500 == 7:  # none, one or two of those that are read at once
            return "unknown"
        return "suspect" if number % 300 == 9 else "healthy"

    every = {f"tool-{number:06}": state_of(number) for number in range(2, TOOLS + 1)}
    said = {
        name: {"state": state, "activation": 1, "reason": None, "as_of": None}
        for name, state in every.items()
        if state != "unknown"
    }
    expected = [name for name, each in every.items() if each == state and (part or "") in name]
    if state == "unknown" and part is None:
        expected.insert(0, "busy")
    found, after, pages = list[str](), None, 0
    while True:
        wanted = Wanted(part, state, after, 100)
        page, after = await tools_of_postgres(conn, StatesNow(said), wanted)
        found += [each["tool_name"] for each in page]
        pages += 1
        if after is None:
            break
    assert found == expected
    assert pages == max(1, -(-len(expected) // 100))


@pytest.mark.parametrize("version", [None, 1])
@pytest.mark.parametrize("success", [None, False])
async def test_a_page_of_executions_reads_a_bounded_part(
    conn: Connection, version: int | None, success: bool | None
) -> None:
    block = "page_of_tool" if version is None else "page_of_version"
    sql = blocks("executions/queries.sql")[block]
    most = 100 if success is None else MOST_LOOKED_AT
    given = [*("busy", None, None, most, success, 100), *([] if version is None else [version])]
    nodes = await plan(conn, sql, *given)
    scans = [each for each in nodes if each.get("Relation Name") == "tool_executions"]
    assert scans
    assert all(each["Node Type"] == "Index Scan" for each in scans), scans
    assert rows_read(nodes, "tool_executions") <= most + 1


async def test_the_chart_of_a_tool_reads_a_bounded_part(conn: Connection) -> None:
    span = timedelta(seconds=EXECUTIONS / SPANS)
    sql = blocks("executions/sampling.sql")["sampled"]
    nodes = await plan(conn, sql, "busy", NOW, span, SPANS, OF_EACH)
    scans = [each for each in nodes if each.get("Relation Name") == "tool_executions"]
    assert all(each["Node Type"] == "Index Scan" for each in scans), scans
    assert rows_read(nodes, "tool_executions") <= SPANS * OF_EACH
    found = await sampled(conn, "busy", NOW, span)
    assert [(each.number, each.executions) for each in found] == [
        (number, OF_EACH) for number in range(SPANS)
    ]
    assert (found[0].success_rate, found[0].median_ms) == (1, None)
    later = await sampled(conn, "busy", NOW + timedelta(seconds=EXECUTIONS + 1), span)
    assert later == []


async def test_rare_failures_are_found_page_by_page(conn: Connection) -> None:
    after: AfterExecution | None = None
    found: list[UUID] = []
    pages = 0
    while True:
        page = await executions_page(conn, "busy", ExecutionsWanted(success=False), after, 100)
        found += [each.execution_id for each in page.executions]
        pages, after = pages + 1, page.next_after
        if after is None:
            break
    every = await conn.fetch(
        "select execution_id from tool_executions where tool_name = 'busy' and not success "
        "order by executed_at desc"
    )
    assert found == [row["execution_id"] for row in every]
    assert abs(pages - EXECUTIONS * 0.9 / MOST_LOOKED_AT) <= 1


@pytest.mark.parametrize("tool", [None, "tool-000050"])
async def test_a_page_of_rollbacks_reads_a_bounded_part(conn: Connection, tool: str | None) -> None:
    sql = blocks("rollbacks/records.sql")["page"]
    nodes = await plan(conn, sql, tool, *[None] * 7, 51)
    assert rows_read(nodes, "rollbacks") <= 200
    assert rows_read(nodes, "tool_executions") == 0
    first = await rollbacks_page(conn, RollbacksWanted(tool), None, 51)
    assert len(first) == 51


async def test_what_rollbacks_cost_reads_a_bounded_part(conn: Connection) -> None:
    sql = blocks("rollbacks/costs.sql")
    listed = await rollbacks_page(conn, RollbacksWanted(), None, 50)
    keys = [each.key for each in listed]
    nodes = await plan(conn, sql["spans"], *zip(*keys, strict=True), AFTERWARDS)
    assert rows_read(nodes, "tool_executions") == 0
    assert rows_read(nodes, "rollbacks") <= 50 * 400
    spans = await call_spans(conn, keys)
    assert len(spans) == 50
    nodes = await plan(conn, sql["calls"], *zip(*spans.values(), strict=True), MOST_OF_EACH)
    assert_by_index(nodes, 50 * 3 * MOST_OF_EACH)
    assert len(await calls_around(conn, list(spans.values()))) == 50


async def test_whom_one_rollback_concerns_reads_a_bounded_part(conn: Connection) -> None:
    sql = blocks("rollbacks/costs.sql")
    [newest] = await rollbacks_page(conn, RollbacksWanted("busy"), None, 1)
    [span] = (await call_spans(conn, [newest.key])).values()
    middle = NOW + timedelta(seconds=EXECUTIONS / 2)
    named = ("busy", 1, None, middle, middle + timedelta(days=1), MOST_OF_ONE, 20)
    assert_by_index(await plan(conn, sql["affected"], *named), 2 * MOST_OF_ONE)
    begin, end = middle - timedelta(days=1), middle + timedelta(days=1)
    times = (begin, middle, end, MOST_OF_ONE, 2_000.0, 10)
    assert_by_index(await plan(conn, sql["around"], "busy", 1, 2, *times), 4 * MOST_OF_ONE)
    [found] = await calls_around(conn, [span], MOST_OF_ONE)
    assert found.is_after_cut
    assert await concerned_by(conn, span) == []  # a failure is rare


def assert_by_index(nodes: list[dict[str, Any]], most: int) -> None:
    """Assert that executions are read by an index, and at most so many (and one for each scan)."""
    scans = [each for each in nodes if each.get("Relation Name") == "tool_executions"]
    assert scans
    assert all(each["Node Type"].startswith("Index") for each in scans), scans
    assert rows_read(nodes, "tool_executions") <= most + 3 * len(scans)


async def test_rollbacks_of_one_moment_are_read_page_by_page(conn: Connection) -> None:
    transaction = conn.transaction()
    await transaction.start()
    try:
        await conn.execute("update rollbacks set applied_at = $1", NOW)
        await conn.execute("analyze rollbacks")
        found: list[UUID] = []
        after: AfterRollback | None = None
        for _ in range(3):
            page = await rollbacks_page(conn, RollbacksWanted(), after, 50)
            found += [each.command_id for each in page]
            after = AfterRollback(NOW, page[-1].command_id, page[-1].tool_name)
        every = await conn.fetch("select command_id from rollbacks order by 1 desc limit 150")
        assert found == [row["command_id"] for row in every]
        assert after is not None
        sql = blocks("rollbacks/records.sql")["page"]
        nodes = await plan(conn, sql, *([None] * 5), *after, 51)
        assert rows_read(nodes, "rollbacks") <= 200
    finally:
        await transaction.rollback()


@pytest.mark.parametrize("tool", [None, "tool-000050"])
@pytest.mark.parametrize("after", [None, "tool-000020"])
async def test_a_page_of_engines_reads_a_bounded_part(
    conn: Connection, tool: str | None, after: str | None
) -> None:
    sql = blocks("engines/listing.sql")["list"]
    nodes = await plan(conn, sql, tool, 86_400.0, after, after and "engine-2", 51, False)
    for table in ("engine_reports", "engine_executions"):
        assert rows_read(nodes, table) <= 10 * 51
    found = await engines(conn, tool, 86_400, limit=51)
    assert len(found) == (51 if tool is None else 10)


async def test_the_history_of_a_tool_reads_its_own_rows(conn: Connection) -> None:
    tool, version_id = "tool-000050", 50
    nodes = await plan(conn, blocks("versions/reading.sql")["activations"], tool, [version_id])
    for table, most in (("tool_versions", 10), ("deployments", 10), ("rollbacks", 300)):
        assert rows_read(nodes, table) <= most, table
