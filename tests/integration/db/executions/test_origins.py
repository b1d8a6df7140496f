"""Whose failure it was, in Postgres: stored as it was counted, and not in the metrics."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.executions.log_export import executions_in_order, one_moment
from db.executions.pruning import remove_executions
from db.executions.queries import executions_by_id, newest_executions
from db.executions.recording import next_offset, record
from db.postgres import migrate
from db.postgres.pool import Connection, connect
from db.versions.metrics import recount
from db.versions.reading import version
from policy.decision.policies import policy_for
from policy.decision.rebuild import rebuild
from schemas.execution import Execution
from schemas.rules.rules import Rules
from tests.support.inputs.stored import (
    NOW,
    TOPIC,
    deploy_all,
    execution,
    log_entry,
    metrics,
    record_all,
)
from tests.support.policy.oracle.whose_failure import origin_of
from tests.support.servers.login_roles import SECURITY_PAGE

RULES = Rules(caller_errors=("ValueError",), environment_errors=("OSError", "httpx.Timeout"))
CHANGED = Rules(caller_errors=("OSError",))


async def record_under(conn: Connection, rules: Rules, given: Sequence[Execution]) -> None:
    """Store the next entries of a log as a recorder with these rules does."""
    start = await next_offset(conn, TOPIC, 0)
    entries = [log_entry(offset, each, rules) for offset, each in enumerate(given, start)]
    await record(conn, TOPIC, 0, start, start + len(entries), entries)


async def others_failures(conn: Connection, version_id: int) -> tuple[int, int]:
    found = await version(conn, "parser", version_id)
    assert found is not None
    return found.caller_failures, found.environment_failures


async def test_only_what_is_judged_is_in_the_metrics(conn: Connection) -> None:
    (first,) = await deploy_all(conn, "one")
    failed: dict[str, Any] = {"version_id": first, "success": False}
    await record_under(
        conn,
        RULES,
        [
            execution(version_id=first, error_origin="caller"),  # of a success it says nothing
            execution(**failed, error_type="KeyError"),
            execution(**failed, error_type="ValueError"),
            execution(**failed, error_type="ValueError", error_origin="tool"),
            execution(**failed, error="OSError: away"),
            execution(**failed, error_type="Timeout", error_origin="caller"),
        ],
    )
    assert await metrics(conn, first) == (3, 1, 1 / 3)
    assert await others_failures(conn, first) == (2, 1)
    rows = await conn.fetch(
        "select error_origin, stated_origin from tool_executions order by log_offset"
    )
    assert [tuple(row) for row in rows] == [
        (None, None),
        ("tool", None),
        ("caller", None),
        ("tool", "tool"),
        ("environment", None),
        ("caller", "caller"),
    ]


async def test_a_version_that_is_not_judged_yet_has_no_rate(conn: Connection) -> None:
    (first,) = await deploy_all(conn, "one")
    bad = execution(version_id=first, success=False, error_origin="environment")
    await record_all(conn, bad)
    await record_all(conn, bad)  # an id counts once
    assert await metrics(conn, first) == (0, 0, None)
    assert await others_failures(conn, first) == (0, 1)
    found = await recount(conn, "parser", first)
    assert found is not None
    assert not found.changed
    await record_all(conn, execution(version_id=first))
    assert await metrics(conn, first) == (1, 1, 1.0)


async def test_they_do_not_crowd_out_what_is_judged(conn: Connection) -> None:
    """A manager that asks Postgres finds as many executions as the detector's ring holds."""
    (first,) = await deploy_all(conn, "one")
    failed: dict[str, Any] = {"version_id": first, "success": False}
    mine = [execution(**failed, executed_at=NOW + timedelta(seconds=n)) for n in range(3)]
    later = NOW + timedelta(seconds=9)
    others = [execution(**failed, executed_at=later, error_origin="environment") for _ in range(20)]
    await record_all(conn, *mine, *others)
    found = await newest_executions(conn, "parser", first, 10)
    assert [each.execution_id for each in found] == [each.execution_id for each in mine[::-1]]
    (shown,) = await executions_by_id(conn, "parser", [others[0].execution_id])
    assert shown.error_origin == "environment"


async def test_settings_that_change_do_not_change_what_was_recorded(conn: Connection) -> None:
    (first,) = await deploy_all(conn, "one")
    failed: dict[str, Any] = {"version_id": first, "success": False, "error_type": "OSError"}
    before, after = execution(**failed), execution(**failed)
    await record_under(conn, RULES, [before])
    await record_under(conn, CHANGED, [after])
    assert await others_failures(conn, first) == (1, 1)
    found = await executions_by_id(conn, "parser", [before.execution_id, after.execution_id])
    assert {each.execution_id: each.error_origin for each in found} == {
        before.execution_id: "environment",
        after.execution_id: "caller",
    }
    await record_under(conn, Rules(), [execution(**failed)])
    found = await newest_executions(conn, "parser", first, 10)
    current = await version(conn, "parser", first)
    assert current is not None
    row = rebuild(current, found, policy_for(CHANGED))
    assert (len(row.ring.errors), row.not_judged) == (1, None)  # it was the tool's, and stays so


async def test_a_backtest_reads_what_was_said_and_asks_its_own_lists(conn: Connection) -> None:
    failed: dict[str, Any] = {"success": False, "error_type": "OSError"}
    await record_under(conn, RULES, [execution(**failed), execution(**failed, error_origin="tool")])
    async with one_moment(conn):
        found = [
            each async for part in executions_in_order(conn, None, None, None) for each in part
        ]
    assert [each.error_origin for each in found] == [None, "tool"]
    assert [CHANGED.failure_classes.origin_of(each) for each in found] == ["caller", "tool"]


async def test_of_what_is_pruned_only_what_was_judged_is_in_the_metrics(conn: Connection) -> None:
    (first,) = await deploy_all(conn, "one")
    failed: dict[str, Any] = {"version_id": first, "success": False}
    others = [execution(**failed, error_origin="caller") for _ in range(3)]
    await record_all(conn, execution(version_id=first), execution(**failed), *others)
    assert await remove_executions(conn, "parser", NOW + timedelta(days=1), 10) == (5, 0)
    found = await version(conn, "parser", first)
    assert found is not None
    assert (found.total_executions, found.pruned_executions, found.caller_failures) == (2, 2, 3)


CLASSES = st.sampled_from([None, "KeyError", "ValueError", "OSError", "a.OSError", "Timeout"])
SAID = st.sampled_from([None, None, "tool", "caller", "environment"])
FAILURES = st.tuples(st.integers(0, 12), st.integers(0, 2), st.booleans(), CLASSES, SAID)


@given(st.lists(st.lists(FAILURES, max_size=6), max_size=4))
@settings(max_examples=25)
async def test_the_recorder_counts_as_a_model_does(
    conn: Connection, batches: list[list[tuple[int, int, bool, str | None, str | None]]]
) -> None:
    """Ids that come again count once, whatever they say the second time."""
    tool = str(uuid4())
    versions = await deploy_all(conn, "one", "two", tool=tool)
    counted: dict[UUID, Execution] = {}
    for batch in batches:
        given = [
            execution(
                tool,
                success,
                execution_id=UUID(int=number),
                version_id=None if which == len(versions) else versions[which],
                error_type=error_type,
                error_origin=said,
            )
            for number, which, success, error_type, said in batch
        ]
        await record_under(conn, RULES, given)
        for each in given:
            counted.setdefault(each.execution_id, each)
    for version_id in versions:
        mine = [each for each in counted.values() if each.version_id == version_id]
        origins = Counter(origin_of(each, RULES) for each in mine)
        judged = origins[None] + origins["tool"]
        found = await version(conn, tool, version_id)
        assert found is not None
        assert (found.total_executions, found.successful_executions) == (judged, origins[None])
        assert found.success_rate == (origins[None] / judged if judged else None)
        assert found.caller_failures == origins["caller"]
        assert found.environment_failures == origins["environment"]
        again = await recount(conn, tool, version_id)
        assert again is not None
        assert not again.changed


async def test_a_recorder_with_rights_on_columns_may_write_the_new_ones(
    empty_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    conn = await connect(empty_dsn)
    old = {name: sql for name, sql in migrate.migrations().items() if name < "0014"}
    role = f"recorder_{uuid4().hex[:8]}"
    with monkeypatch.context() as patched:
        patched.setattr(migrate, "migrations", lambda: old)
        await migrate.migrate(conn)
    await conn.execute(f"create role {role}")
    await conn.execute(f"grant update (total_executions) on tool_versions to {role}")
    assert next(iter(await migrate.migrate(conn))) == "0014_origins"
    for column in ("caller_failures", "environment_failures"):
        assert await conn.fetchval(
            "select has_column_privilege($1, 'tool_versions', $2, 'update')", role, column
        )
        assert column in SECURITY_PAGE
    await conn.execute(f"drop owned by {role}")
    await conn.execute(f"drop role {role}")
    await conn.close()
