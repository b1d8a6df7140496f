"""The way from executions to a rollback, through real workers."""

import json

from schemas.execution import Activation, read_log_entry
from schemas.rollback import RollbackCommand, RollbackOutcome, automatic_command_id
from tests.support.messages import activation, execution
from tests.support.system import System
from tests.support.waiting import until


async def test_a_broken_version_is_rolled_back(system: System) -> None:
    good = await system.deploy("parser", "good = 1")
    bad = await system.deploy("parser", "bad = 2", created_by="autonomous")
    assert (good.version_number, bad.version_number) == (1, 2)
    runs = [execution("parser", "ValueError: no", version_id=bad.version_id) for _ in range(3)]
    await system.run(*runs)

    [command] = [
        RollbackCommand.from_bytes(record.value)
        for record in await system.records(system.topics.commands, 1)
    ]
    assert bad.version_id is not None
    assert bad.activation is not None
    assert command.command_id == automatic_command_id("parser", bad.version_id, bad.activation, 1)
    assert (command.tier, command.reason) == ("immediate", "consecutive_failures")
    assert command.details["recent"] == [str(run.execution_id) for run in reversed(runs)]

    [record] = await system.records(system.topics.outcomes, 1)
    outcome = RollbackOutcome.from_bytes(record.value)
    assert (outcome.status, outcome.to_version_id) == ("applied", good.version_id)
    [row] = await system.query("SELECT * FROM rollbacks")
    assert (row["command_id"], row["status"]) == (command.command_id, "applied")
    current = await system.query("SELECT version_id FROM tool_versions WHERE is_current")
    assert [row["version_id"] for row in current] == [good.version_id]


async def test_activations_are_in_the_log_before_their_versions_are_published(
    system: System,
) -> None:
    for code in ("a", "b", "c"):
        await system.deploy("parser", code)
    log = await system.records(system.topics.executions, 3)
    entries = [read_log_entry(record.value) for record in log]
    assert [e.activation for e in entries if isinstance(e, Activation)] == [1, 2, 3]
    versions = await system.records(system.topics.versions, 3)
    assert [json.loads(record.value)["code"] for record in versions] == ["a", "b", "c"]
    for entry, version in zip(log, versions, strict=True):
        assert entry.timestamp <= version.timestamp


async def test_metrics_follow_and_count_each_execution_once(system: System) -> None:
    first = await system.deploy("parser", "a")
    second = await system.deploy("parser", "b")
    runs = [execution("parser", None), execution("parser", "KeyError: 1")]
    old = execution("parser", None, version_id=first.version_id)
    await system.run(*runs, old, *runs)
    await system.executions_recorded("parser", 3)
    rows = await system.query(
        "SELECT version_id, total_executions, success_rate FROM tool_versions ORDER BY version_id"
    )
    assert [tuple(row) for row in rows] == [
        (first.version_id, 1, 1.0),
        (second.version_id, 2, 0.5),
    ]


async def test_the_same_deployment_again_changes_nothing(system: System) -> None:
    first = await system.deploy("parser", "a")
    again = await system.deploy("parser", "other", deployment_id=first.deployment_id)
    assert again == first
    unchanged = await system.deploy("parser", "a")
    assert (unchanged.status, unchanged.version_id) == ("unchanged", first.version_id)
    [row] = await system.query("SELECT version_number, deployment_count FROM tool_versions")
    assert tuple(row) == (1, 2)


async def test_a_rollback_without_a_previous_version_is_logged_as_an_error(system: System) -> None:
    only = await system.deploy("parser", "a")
    await system.run(*(execution("parser", "boom") for _ in range(3)))
    [record] = await system.records(system.topics.outcomes, 1)
    outcome = RollbackOutcome.from_bytes(record.value)
    assert (outcome.status, outcome.rejection) == ("rejected", "no_previous_version")
    [row] = await system.query("SELECT version_id FROM tool_versions WHERE is_current")
    assert row["version_id"] == only.version_id

    async def logged() -> bool:
        lines = [json.loads(line) for line in system.log("applier").splitlines()]
        return any(
            line.get("rejection") == "no_previous_version" and line["level"] == "error"
            for line in lines
        )

    await until(logged)


async def test_health_queries_are_answered_from_the_table(system: System) -> None:
    assert (await system.health("parser"))[0] == 404
    version = await system.deploy("parser", "a")
    await system.run(execution("parser"), execution("parser", "TypeError: x"))

    async def seen() -> bool:
        return len((await system.health("parser"))[1].get("recent", [])) == 2

    await until(seen)
    status, health = await system.health("parser")
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


async def test_stopping_is_quick_and_clean(system: System) -> None:
    await system.deploy("parser", "a")
    assert await system.stop_all() == [0, 0, 0]
