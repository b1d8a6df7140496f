"""`backtest` over a log of real workers: the same policy decides as it did there."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from schemas.execution import Activation, Execution, read_log_entry
from schemas.fields import format_time
from tests.support.inputs.messages import execution
from tests.support.systems.command_line import rollguard
from tests.support.systems.system import System

BREAKS: dict[str, list[str | None]] = {
    "parser": ["TypeError: limit", None, "TypeError: limit", None, "TypeError: limit"],
    "planner": ["ValueError: no"] * 4,
    "router": [None, "KeyError: 1", None, "KeyError: 2"] * 5,
}
"""The errors of each tool's second version. They are rolled back for a changed signature, for
consecutive failures, and for their success rate."""


async def break_each(system: System) -> datetime:
    """Let each tool run well, break, be rolled back, and run well again.

    There are also late executions of both versions, with and without their version. Return a time
    between the good and the bad executions.
    """
    for tool in BREAKS:
        good = await system.deploy(tool, "good = 1")
        runs = [execution(tool, version_id=good.version_id) for _ in range(10)]
        await system.run(*runs, *(execution(tool) for _ in range(10)))
    between = datetime.now(UTC)
    for tool, errors in BREAKS.items():
        bad = await system.deploy(tool, "bad = 2", created_by="autonomous")
        assert bad.version_id is not None
        late = execution(tool, version_id=bad.version_id - len(BREAKS))
        # Some may come after the rollback already, so they name their version.
        broken = [execution(tool, error, version_id=bad.version_id) for error in errors]
        await system.run(late, *broken)
        await system.activation_judged(tool, 3)
        late = execution(tool, "ValueError: late", version_id=bad.version_id)
        await system.run(late, *(execution(tool) for _ in range(5)))
        await system.executions_recorded(tool, 20 + 1 + len(errors) + 1 + 5)
    return between


async def log_of(system: System) -> list[bytes]:
    """Return the values of `tool-executions`, those of each partition in order."""
    executions = sum(20 + 1 + len(errors) + 1 + 5 for errors in BREAKS.values())
    records = await system.records(system.topics.executions, executions + 3 * len(BREAKS))
    return [record.value for record in records]


async def backtest(env: Mapping[str, str], *words: str, stdin: bytes = b"") -> dict[str, Any]:
    result = await rollguard("backtest", *words, "--json", env=env, stdin=stdin)
    assert result.code == 0, result.err
    assert result.err == ""
    document: dict[str, Any] = json.loads(result.out)
    return document


@pytest.mark.timeout(540)
async def test_every_source_gives_the_rollbacks_that_happened(
    system: System, tmp_path: Path
) -> None:
    between = await break_each(system)
    rows = await system.query("SELECT * FROM rollbacks")
    happened = {row["tool_name"]: row for row in rows}
    assert happened.keys() == BREAKS.keys()
    log, env = await log_of(system), system.environment()
    file = tmp_path / "log.jsonl"
    file.write_bytes(b"\n".join(log))

    of_postgres = await backtest(env)
    of_topic = await backtest(env, "--topic")
    of_lines = await backtest(env, "--jsonl", str(file))
    for found in (of_postgres, of_topic, of_lines):
        assert found["tools"] == len(BREAKS)
        assert found["rolled_back"] == len(BREAKS)
        assert found["policies"][0]["policy"] == "seed"
        assert (found["policies"][0]["also"], found["policies"][0]["alone"]) == (3, 0)
        for trial in found["activations"]:
            row = happened[trial["tool_name"]]
            decided = trial["decisions"]["seed"]
            assert (decided["tier"], decided["reason"]) == (row["tier"], row["reason"])
            assert decided["command_id"] == str(row["command_id"])
            details = json.loads(row["details"])
            if found is of_postgres:  # the late execution counts for the version before
                baseline = {"executions": 21, "success_rate": 1.0}
                assert decided["details"].pop("baseline") == baseline
                del details["baseline"]
            assert decided["details"] == details
            assert trial["rolled_back_to"] == row["to_version_id"]
            assert trial["rolled_back_at"] == format_time(row["issued_at"])
    assert of_topic == of_lines

    await check_parts_of_the_log(env, between, log)
    await check_without_activations(env, log)


async def check_parts_of_the_log(
    env: Mapping[str, str], between: datetime, log: list[bytes]
) -> None:
    """Check a part of the log that begins after the first activations.

    These are then known from the executions.
    """
    since = "--since", format_time(between)
    later = [
        value
        for value in log
        if isinstance(entry := read_log_entry(value), Execution) and entry.executed_at >= between
    ]
    for words in (since, ("--topic", *since)):
        found = await backtest(env, *words)
        assert found["executions"] == len(later)
        assert [trial["tool_name"] for trial in found["activations"]].count("planner") == 1
        assert found["rolled_back"] == 3
    one = await backtest(env, "--topic", "--tool", "router", "--policy", "guarded:alpha=0.2")
    assert (one["tools"], one["policies"][0]["policy"]) == (1, "guarded:alpha=0.2")
    none = await backtest(env, "--until", "2020-01-01T00:00:00Z", "--topic")
    assert (none["executions"], none["activations"]) == (0, [])


async def check_without_activations(env: Mapping[str, str], log: list[bytes]) -> None:
    """Check that executions are enough if they name their versions."""
    current: dict[str, int] = {}
    lines = []
    for value in log:
        entry = read_log_entry(value)
        if isinstance(entry, Activation):
            current[entry.tool_name] = entry.version_id
        elif entry.version_id in (None, current[entry.tool_name]):
            version = {"version_id": current[entry.tool_name]}
            lines.append(entry.model_copy(update=version).to_bytes())
    found = await backtest(env, "--jsonl", "-", stdin=b"\n".join(lines))
    assert (found["rolled_back"], found["policies"][0]["also"]) == (3, 3)
    assert all(trial["version_number"] is None for trial in found["activations"])


async def test_errors_have_a_message_and_an_exit_code(tmp_path: Path) -> None:
    env = {
        "ROLLGUARD_POSTGRES_DSN": "postgresql://me@127.0.0.1:1/x",
        "ROLLGUARD_KAFKA_BROKERS": "127.0.0.1:1",
        "ROLLGUARD_WAIT_S": "1",
    }
    for words, code, error in (
        ((), 1, "127.0.0.1:1/x"),
        (("--topic",), 1, "127.0.0.1:1 does not answer"),
        (("--jsonl", str(tmp_path / "missing")), 2, "missing"),
        (("--topic", "--jsonl", "-"), 2, "not both"),
        (("--policy", "gaurded"), 2, "is no policy"),
        (("--policy", "seed", "--policy", "seed"), 2, "given twice"),
        (("--since", "1h", "--until", "2h"), 2, "--since is later than --until"),
        (("--since", "yesterday"), 2, "--since 'yesterday'"),
    ):
        result = await rollguard("backtest", *words, env=env, cwd=tmp_path)
        assert result.code == code, (words, result)
        assert error in result.err, (words, result)
        assert "Traceback" not in result.err
        assert result.out == ""


async def test_the_tables_and_the_bad_lines(tmp_path: Path) -> None:
    runs = [execution("words", version_id=1) for _ in range(12)]
    runs += [execution("words", "TypeError: limit", version_id=2) for _ in range(2)]
    lines = [run.to_bytes() for run in runs]
    lines.insert(3, b"nonsense")
    lines.append(execution("unheard").to_bytes())
    result = await rollguard(
        "backtest", "--jsonl", "-", env={}, stdin=b"\n".join(lines), cwd=tmp_path
    )
    assert result.code == 1
    assert "rollguard: line 4: " in result.err
    assert "1 executions were not judged: no version of their tools is known" in result.err
    assert "≠" in result.out
    assert "signature_change" in result.out
    assert "15 executions of 1 tools; 2 activations with executions, 0 of them" in result.out
