"""A backtest over what stands in Postgres and on the topic, without workers."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from db.postgres.pool import Connection, connect
from policy.backtest.requested_policy import RequestedPolicy
from policy.backtest.trials import Trial
from rollguard.backtest_sources.log_entries import BacktestFilter
from rollguard.backtest_sources.run import Backtested, of_postgres, of_topic
from schemas.settings import load_settings
from tests.support.inputs.messages import activation, execution
from tests.support.inputs.stored import NOW, deploy_all, record_all
from tests.support.inputs.stored import execution as recorded
from tests.support.systems.system import System

BROKEN = "TypeError: no"


@pytest.fixture
async def conn(database_dsn: str) -> AsyncIterator[Connection]:
    conn = await connect(database_dsn)
    yield conn
    await conn.close()


async def over_postgres(dsn: str, wanted: BacktestFilter) -> Backtested:
    settings = load_settings(postgres_dsn=dsn)
    return await of_postgres(settings, [RequestedPolicy.parse("seed", settings)], wanted)


def said(trial: Trial) -> tuple[int, int | None, str | None]:
    decision = trial.decisions[0]
    return (
        trial.version_id,
        trial.version_number,
        None if decision is None else decision.command.reason,
    )


async def test_postgres_knows_of_versions_or_derives_them(
    conn: Connection, database_dsn: str
) -> None:
    """A tool that was deployed here, and one of which there are executions alone."""
    good, bad = await deploy_all(conn, "1", "2")
    for tool in ("parser", "alien"):
        await record_all(conn, *(recorded(tool, version_id=good) for _ in range(5)))
        failures = [
            recorded(tool, False, version_id=bad, error=BROKEN, executed_at=NOW) for _ in range(3)
        ]
        # A version that nobody deployed begins nothing where it is known what was deployed.
        await record_all(conn, *failures, recorded(tool, version_id=bad + 7))
    found = (await over_postgres(database_dsn, BacktestFilter())).found
    by_tool = {trial.tool_name: trial for trial in found.notable}
    assert said(by_tool["parser"]) == (bad, 2, "signature_change")
    assert said(by_tool["alien"]) == (bad, None, "signature_change")
    assert found.judged == 2 + 3

    narrowed = BacktestFilter(frozenset({"parser"}), NOW - timedelta(hours=1), NOW)
    assert (await over_postgres(database_dsn, narrowed)).found.executions == 9
    before = BacktestFilter(until=NOW - timedelta(hours=1))
    assert (await over_postgres(database_dsn, before)).found.executions == 0


@pytest.fixture
async def topics(
    kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> AsyncIterator[System]:
    async with System.started(kafka, database_dsn, topic_prefix, tmp_path, ()) as running:
        yield running


async def next_millisecond() -> datetime:
    """Return a time after all timestamps so far and before all later ones."""
    await asyncio.sleep(0.002)
    between = datetime.now(UTC)
    await asyncio.sleep(0.002)
    return between


async def over_topic(system: System, wanted: BacktestFilter) -> Backtested:
    settings = system.settings
    return await of_topic(settings, [RequestedPolicy.parse("seed", settings)], wanted)


async def test_a_whole_topic_is_read_as_the_detector_reads_it(topics: System) -> None:
    """Bad records are passed over, and nobody judges what no activation stands in front of."""
    topic = topics.topics.executions
    await topics.run(execution("parser", version_id=1), execution("parser", version_id=2))
    await topics.send(topic, "parser", b"nonsense", activation("parser", 2, 1))
    await topics.run(*(execution("parser", BROKEN, version_id=2) for _ in range(3)))
    await topics.send(topic, "other", execution("parser", BROKEN))
    done = await over_topic(topics, BacktestFilter())
    assert (done.found.executions, done.found.unknown, done.bad) == (5, 2, 2)
    assert [said(trial) for trial in done.found.notable] == [(2, 2, "signature_change")]
    assert (await over_topic(topics, BacktestFilter(frozenset({"other"})))).found.executions == 0


async def test_from_a_time_on_versions_are_known_by_their_executions(topics: System) -> None:
    topic = topics.topics.executions
    await topics.send(topic, "parser", activation("parser", 1, 1))
    await topics.run(execution("parser"))
    since = await next_millisecond()
    await topics.run(*(execution("parser", version_id=1) for _ in range(2)))
    await topics.run(*(execution("parser", BROKEN, version_id=2) for _ in range(3)))
    done = await over_topic(topics, BacktestFilter(since=since))
    assert (done.found.executions, done.found.unknown) == (5, 0)
    assert [said(trial) for trial in done.found.notable] == [(2, None, "signature_change")]
    later = BacktestFilter(since=await next_millisecond())
    assert (await over_topic(topics, later)).found.executions == 0
    assert (await over_topic(topics, BacktestFilter(until=since))).found.executions == 1
