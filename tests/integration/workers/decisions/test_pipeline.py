"""The way from executions to a rollback, through real workers."""

import json
from pathlib import Path

import pytest

from schemas.execution import Activation, read_log_entry
from schemas.rollback import RollbackCommand, RollbackOutcome, automatic_command_id
from tests.support.inputs.messages import activation, execution
from tests.support.systems.system import System
from tests.support.waiting import until


@pytest.fixture
def system(shared_on_each: System) -> System:
    return shared_on_each


async def current_ids(system: System, tool: str) -> list[int]:
    """Return the ids of the tool's versions that are current."""
    sql = "SELECT version_id FROM tool_versions WHERE is_current AND tool_name = $1"
    return [row["version_id"] for row in await system.query(sql, tool)]


async def test_a_broken_version_is_rolled_back(system: System, tool: str) -> None:
    good = await system.deploy(tool, "good = 1")
    bad = await system.deploy(tool, "bad = 2", created_by="autonomous")
    assert (good.version_number, bad.version_number) == (1, 2)
    runs = [execution(tool, "ValueError: no", version_id=bad.version_id) for _ in range(3)]
    await system.run(*runs)

    [command] = [
        RollbackCommand.from_bytes(record.value)
        for record in await system.records(system.topics.commands, 1, tool)
    ]
    assert bad.version_id is not None
    assert bad.activation is not None
    assert command.command_id == automatic_command_id(tool, bad.version_id, bad.activation, 1)
    assert (command.tier, command.reason) == ("immediate", "consecutive_failures")
    assert command.details["recent"] == [str(run.execution_id) for run in reversed(runs)]

    [record] = await system.records(system.topics.outcomes, 1, tool)
    outcome = RollbackOutcome.from_bytes(record.value)
    assert (outcome.status, outcome.to_version_id) == ("applied", good.version_id)
    [row] = await system.query("SELECT * FROM rollbacks WHERE tool_name = $1", tool)
    assert (row["command_id"], row["status"]) == (command.command_id, "applied")
    assert await current_ids(system, tool) == [good.version_id]


async def test_activations_are_in_the_log_before_their_versions_are_published(
    system: System, tool: str
) -> None:
    for code in ("a", "b", "c"):
        await system.deploy(tool, code)
    log = await system.records(system.topics.executions, 3, tool)
    entries = [read_log_entry(record.value) for record in log]
    assert [e.activation for e in entries if isinstance(e, Activation)] == [1, 2, 3]
    versions = await system.records(system.topics.versions, 3, tool)
    assert [json.loads(record.value)["code"] for record in versions] == ["a", "b", "c"]
    for entry, version in zip(log, versions, strict=True):
        assert entry.timestamp <= version.timestamp


async def test_metrics_follow_and_count_each_execution_once(system: System, tool: str) -> None:
    first = await system.deploy(tool, "a")
    second = await system.deploy(tool, "b")
    runs = [execution(tool, None), execution(tool, "KeyError: 1")]
    old = execution(tool, None, version_id=first.version_id)
    await system.run(*runs, old, *runs)
    await system.executions_recorded(tool, 3)
    rows = await system.query(
        "SELECT version_id, total_executions, success_rate FROM tool_versions"
        " WHERE tool_name = $1 ORDER BY version_id",
        tool,
    )
    assert [tuple(row) for row in rows] == [
        (first.version_id, 1, 1.0),
        (second.version_id, 2, 0.5),
    ]


async def test_the_same_deployment_again_changes_nothing(system: System, tool: str) -> None:
    first = await system.deploy(tool, "a")
    again = await system.deploy(tool, "other", deployment_id=first.deployment_id)
    assert again == first
    unchanged = await system.deploy(tool, "a")
    assert (unchanged.status, unchanged.version_id) == ("unchanged", first.version_id)
    sql = "SELECT version_number, deployment_count FROM tool_versions WHERE tool_name = $1"
    assert [tuple(row) for row in await system.query(sql, tool)] == [(1, 2)]


async def test_a_rollback_without_a_previous_version_is_logged_as_an_error(
    system: System, tool: str
) -> None:
    only = await system.deploy(tool, "a")
    await system.run(*(execution(tool, "boom") for _ in range(3)))
    [record] = await system.records(system.topics.outcomes, 1, tool)
    outcome = RollbackOutcome.from_bytes(record.value)
    assert (outcome.status, outcome.rejection) == ("rejected", "no_previous_version")
    assert await current_ids(system, tool) == [only.version_id]

    async def logged() -> bool:
        lines = [json.loads(line) for line in system.log("applier").splitlines()]
        return any(
            (line.get("tool"), line.get("rejection")) == (tool, "no_previous_version")
            and line["level"] == "error"
            for line in lines
        )

    await until(logged)


async def test_health_queries_are_answered_from_the_table(system: System, tool: str) -> None:
    assert (await system.health(tool))[0] == 404
    version = await system.deploy(tool, "a")
    await system.run(execution(tool), execution(tool, "TypeError: x"))

    async def seen() -> bool:
        return len((await system.health(tool))[1].get("recent", [])) == 2

    await until(seen)
    status, health = await system.health(tool)
    assert (status, health["version_id"]) == (200, version.version_id)
    assert health["consecutive_failures"] == health["signature_errors"] == 1
    assert health["windows"]["fast"] == {"window_s": 1800, "executions": 2, "failures": 1}
    assert health["needs_rollback"] is False
    assert health["details"] == {}
    assert (await system.health("never%2Fseen"))[0] == 404


async def test_the_detector_decides_while_no_other_role_runs(detector: System) -> None:
    await detector.send(detector.topics.executions, "parser", activation("parser", 1, 1))
    await detector.run(*(execution("parser", "boom") for _ in range(3)))
    assert len(await detector.records(detector.topics.commands, 1)) == 1


async def test_stopping_is_quick_and_clean(
    kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    roles = ("detector", "applier", "recorder")
    async with System.started(kafka, database_dsn, topic_prefix, tmp_path, roles) as system:
        await system.deploy("parser", "a")
        assert await system.stop_all() == [0, 0, 0]
