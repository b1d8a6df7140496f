"""Errors and identities go, everything else stays."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest

from db.executions.erasing import Whose
from db.executions.log_export import executions_in_order, one_moment
from db.executions.pruning import only_removal
from db.executions.recording import LogEntry, record
from db.postgres.pool import Connection
from db.versions.deploying import Compared, Obstacle, deploy_each
from rollguard.operations.erase import Erasure, erase
from schemas.deployment import RolledBack
from schemas.errors import Rejected
from schemas.execution import Execution
from schemas.execution_entry import ExecutionEntry
from schemas.explanation import SeenError
from schemas.settings import Settings, load_settings
from tests.support.inputs.error_texts import is_signature_error_of
from tests.support.inputs.stored import (
    NOW,
    TOPIC,
    command,
    deploy_all,
    deployment,
    execution,
    metrics,
    record_all,
    roll_back_each,
    verdict,
)

SECRET = "Ann 4711"


@pytest.fixture
def settings(database_dsn: str) -> Settings:
    return load_settings(postgres_dsn=database_dsn)


def failure(tool: str, **fields: Any) -> Execution:
    given = {"session_id": "s", "caller": "c", "input_hash": "h", "error": f"TypeError: {SECRET}"}
    return execution(tool, success=False, **given | fields)


async def rows(conn: Connection) -> dict[Any, dict[str, Any]]:
    found = await conn.fetch("select * from tool_executions")
    return {(row["execution_id"], row["tool_name"]): dict(row) for row in found}


def keys(executions: Sequence[Execution]) -> set[tuple[Any, str]]:
    return {(each.execution_id, each.tool_name) for each in executions}


async def test_all_executions_of_a_session_of_a_caller_or_with_an_id(
    conn: Connection, settings: Settings
) -> None:
    (version,) = await deploy_all(conn, "x = 1", tool="a")
    wanted = f"{SECRET} ☂"
    hit = [failure(tool, session_id=wanted) for tool in ("a", "b") for _ in range(7)]
    hit += [execution("a", version_id=version, session_id=wanted)]
    of_caller = [failure("a", caller=wanted, version_id=version) for _ in range(3)]
    shared = uuid4()
    of_id = [failure(tool, execution_id=shared) for tool in ("a", "b")]
    others = [failure("a"), failure("a", session_id=wanted + "x"), execution("a")]
    await record_all(conn, *hit, *of_caller, *of_id, *others)
    before, counted = await rows(conn), await metrics(conn, version)
    for erasure, these in (
        (Erasure("session", wanted), hit),
        (Erasure("caller", wanted), of_caller),
        (Erasure("execution", str(shared)), of_id),
    ):
        await erase(settings, erasure, batch=4)
        assert erasure.executions == len(these)
        assert keys(these) == {key for key, row in (await rows(conn)).items() if row["erased_at"]}
        again = Erasure(erasure.whose, erasure.value)
        await erase(settings, again)
        assert again.executions == 0
        after = await rows(conn)
        for key in keys(these):
            gone = {"error": None, "session_id": None, "caller": None, "input_hash": None}
            kept = None if before[key]["success"] else "TypeError"
            at = after[key]["erased_at"]
            assert after[key] == before[key] | gone | {"error_type": kept, "erased_at": at}
            after[key] = before[key]
        assert after == before
        await conn.execute("update tool_executions set erased_at = null")
        before = await rows(conn)
    assert await metrics(conn, version) == counted


async def test_a_backtest_reads_the_same_failures(conn: Connection, settings: Settings) -> None:
    errors = [f"AttributeError: {SECRET}", f"ExceptionGroup('{SECRET}', [TypeError('x')])", SECRET]
    await record_all(conn, *(failure("a", error=error, error_type=None) for error in errors))

    async def failures() -> list[bool]:
        async with one_moment(conn):
            found = [
                each async for part in executions_in_order(conn, None, None, None) for each in part
            ]
        return [is_signature_error_of(each) for each in found]

    before = await failures()
    assert before == [True, True, False]
    await erase(settings, Erasure("session", "s"))
    assert await failures() == before
    assert SECRET not in str(await rows(conn))


async def test_a_refusal_that_quotes_the_error_quotes_it_no_longer(
    conn: Connection, settings: Settings
) -> None:
    await deploy_all(conn, "x = 1", "x = 2", tool="a")
    run, other = failure("a"), failure("a", session_id="t")
    await record_all(conn, run, other)
    for each, code in ((run, "x = 3"), (other, "x = 4")):
        rolled_back = RolledBack(
            command_id=uuid4(),
            tier="fast",
            reason="complete_failure",
            rule="r",
            from_version_id=1,
            rolled_back_at=NOW,
            executions=[each.execution_id],
            errors=[SECRET],
        )
        request = Compared(deployment(code, "a"))
        await deploy_each(conn, [request], {"a": Obstacle("refused", "identical", rolled_back)})
    await erase(settings, Erasure("session", "s"))
    found = await conn.fetch(
        "select outcome -> 'rolled_back' -> 'executions' ->> 0 as id,"
        " outcome -> 'rolled_back' -> 'errors' as errors from deployments"
        " where outcome ->> 'status' = 'refused'"
    )
    assert {row["id"]: row["errors"] for row in found} == {
        str(run.execution_id): [],
        str(other.execution_id): [SECRET],
    }


async def test_verdicts_stay_but_not_who_gave_them_and_why(
    conn: Connection, settings: Settings
) -> None:
    runs = [failure(tool, execution_id=uuid4(), session_id=tool) for tool in ("a", "b")]
    judged = [
        verdict(tool_name=tool, execution_id=run.execution_id, by="Ann", why=SECRET)
        for run in runs
        for tool in ("a", "b")
    ]
    lone = verdict(by="Ann", why=SECRET)
    await record_all(conn, *runs, *judged, lone)

    async def erased() -> set[UUID]:
        rows = await conn.fetch("select * from later_verdicts order by log_offset")
        assert [row["verdict_id"] for row in rows] == [each.verdict_id for each in (*judged, lone)]
        assert all(row["bad"] for row in rows)
        assert {(row["judged_by"], row["why"]) for row in rows} <= {("Ann", SECRET), (None, None)}
        return {row["verdict_id"] for row in rows if row["why"] is None}

    await erase(settings, Erasure("session", "a"))
    of_a = judged[0].verdict_id
    assert await erased() == {of_a}
    await erase(settings, Erasure("execution", str(lone.execution_id)))
    assert await erased() == {of_a, lone.verdict_id}


async def test_verdicts_that_a_caller_gave(conn: Connection, settings: Settings) -> None:
    by_ann = [verdict(by="Ann", why=SECRET) for _ in range(5)]
    others = [verdict(by="Ann 2", why="x"), verdict(by="judge", why="Ann")]
    await record_all(conn, *by_ann, *others)
    await erase(settings, Erasure("session", "Ann"))
    assert await conn.fetchval("select count(*) from later_verdicts where why is null") == 0
    await erase(settings, Erasure("caller", "Ann"), batch=2)
    rows = await conn.fetch("select verdict_id from later_verdicts where judged_by is not null")
    assert {row["verdict_id"] for row in rows} == {each.verdict_id for each in others}
    assert SECRET not in str(await conn.fetch("select * from later_verdicts"))


@pytest.mark.parametrize("is_recorded", [True, False])
@pytest.mark.parametrize("whose", ["execution", "caller"])
async def test_explanations_and_refusals_that_quote_verdicts_quote_them_no_longer(
    whose: Whose, is_recorded: bool, conn: Connection, settings: Settings
) -> None:
    first, second = await deploy_all(conn, "one", "two")
    run = execution(version_id=second, caller="c")
    judged = verdict(version_id=second, execution_id=run.execution_id, by="c", why=SECRET)
    await record_all(conn, *([run] if is_recorded else []), judged)
    names = ("verdict_id", "execution_id")
    order = command(
        tier="standard",
        reason="judged_bad",
        from_version_id=second,
        to_version_id=first,
        details={"later_verdict": {name: str(getattr(judged, name)) for name in names}},
    )
    seen = {"parser": [SeenError(error=SECRET, executions=1)]}
    [outcome] = await roll_back_each(conn, [order], errors=seen)
    assert outcome.explanation is not None
    assert outcome.explanation.errors == seen["parser"]
    rolled_back = RolledBack(
        command_id=order.command_id,
        tier="standard",
        reason="judged_bad",
        rule="r",
        from_version_id=second,
        rolled_back_at=NOW,
        executions=outcome.explanation.decided_by,
        errors=[SECRET],
    )
    obstacle = Obstacle("refused", "identical", rolled_back)
    await deploy_each(conn, [Compared(deployment("three"))], {"parser": obstacle})
    value = str(run.execution_id) if whose == "execution" else "c"
    await erase(settings, Erasure(whose, value))
    for table in ("tool_executions", "later_verdicts", "rollbacks", "deployments"):
        assert SECRET not in str(await conn.fetch(f"select {table}::text from {table}"))


async def test_not_beside_a_prune(conn: Connection, settings: Settings) -> None:
    async with only_removal(conn):
        with pytest.raises(Rejected, match="another prune or erase is at work"):
            await erase(settings, Erasure("session", "s"))


async def test_only_classes_are_recorded_if_that_is_set(conn: Connection) -> None:
    runs = [failure("a"), failure("a", error=SECRET), failure("a", error_type=SECRET)]
    entries = [LogEntry(n, ExecutionEntry.of(each)) for n, each in enumerate(runs)]
    assert await record(conn, TOPIC, 0, 0, 3, entries, "class") == 3
    stored = await rows(conn)
    found = [stored[each.execution_id, "a"] for each in runs]
    assert [(row["error"], row["error_type"]) for row in found] == [
        (None, "TypeError"),
        (None, None),
        (None, None),
    ]
    assert found[0]["session_id"] == "s"
