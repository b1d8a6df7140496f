"""The command line as a subprocess: from `deploy` to `health`, and its error messages."""

import asyncio
import json
import os
import shlex
import socket
from pathlib import Path
from uuid import uuid4

import pytest

from rollguard.embedded.ports import free_port
from tests.support.programs.program import Program
from tests.support.systems.command_line import rollguard
from tests.support.systems.system import System
from tests.support.waiting import until


async def test_from_deploy_to_health(shared_system: System, tool: str, tmp_path: Path) -> None:
    env = shared_system.environment()
    good, bad = tmp_path / "good.py", tmp_path / "bad.py"
    good.write_text("def execute(x):\n    return x\n# 数 🛡\r\n")
    bad.write_text("def execute(x, limit):\n    return x\n", "utf-8-sig")

    first = await rollguard("deploy", tool, str(good), "--json", env=env)
    assert first.code == 0, first.err
    version = json.loads(first.out)
    assert (version["version_number"], version["is_current"]) == (1, True)
    assert version["success_rate"] is None
    second = await rollguard(
        *("deploy", tool, str(bad), "--by", "autonomous", "--type", "bug_fix"),
        *("--reason", "faster", "--json"),
        env=env,
    )
    broken = json.loads(second.out)
    assert broken["improvement_reason"] == "faster"
    assert broken["code"] == bad.read_text("utf-8-sig")
    assert broken["breaking_changes"] == ["execute() needs a new parameter 'limit'."]

    assert (await rollguard("record", tool, "--ok", env=env)).code == 0
    lines = [
        {
            "execution_id": str(uuid4()),
            "tool_name": tool,
            "success": False,
            "error": "TypeError: missing 1 required positional argument: 'limit'",
            "executed_at": "2026-01-01T00:00:00Z",
        }
        for _ in range(2)
    ]
    jsonl = "\n".join(json.dumps(line) for line in lines) + "\nnonsense\n"
    recorded = await rollguard("record", "--jsonl", "-", env=env, stdin=jsonl.encode("utf-8-sig"))
    assert recorded.code == 1
    assert "line 3" in recorded.err
    for _ in range(2):
        result = await rollguard("record", tool, "--error", "TypeError: limit", env=env)
        assert result.code == 0, result.err

    query = "SELECT FROM tool_versions WHERE version_id = $1 AND is_current"

    async def rolled_back() -> bool:
        return bool(await shared_system.query(query, version["version_id"]))

    await until(rolled_back)
    current = await rollguard("current", tool, "--json", env=env)
    assert json.loads(current.out)["version_id"] == version["version_id"]
    history = json.loads((await rollguard("history", tool, "--json", env=env)).out)
    assert [each["version_number"] for each in history] == [2, 1]
    shown = await rollguard("show", tool, str(version["version_id"]), "--json", env=env)
    assert json.loads(shown.out)["code"] == good.read_bytes().decode()

    async def judged() -> bool:  # the versions are in Postgres before the detector reads of them
        status, health = await shared_system.health(tool)
        return status == 200 and health["version_id"] == version["version_id"]

    await until(judged)
    health = json.loads((await rollguard("health", tool, "--json", env=env)).out)
    assert health["version_id"] == version["version_id"]
    check = json.loads((await rollguard("check", tool, "--json", env=env)).out)
    assert check == {"needs_rollback": False, "tier": None, "reason": None, "details": {}}
    forward = await rollguard(
        *("rollback", tool, str(broken["version_id"]), "--reason", "try again", "--json"),
        env=env,
    )
    assert (forward.code, json.loads(forward.out)["status"]) == (0, "applied")
    again = await rollguard("rollback", tool, str(broken["version_id"]), env=env)
    assert again.code == 1
    assert "already_current" in again.err


async def test_errors_have_a_message_and_an_exit_code(
    shared_system: System, tmp_path: Path
) -> None:
    env = shared_system.environment()
    for words, code, error in (
        (("current", "nobody"), 1, "'nobody' has no versions"),
        (("show", "nobody", "999999"), 1, "no version with the id 999999"),
        (("health", "nobody"), 1, "never activated"),
        (("record", "t"), 2, "--ok"),
        (("show", "nobody", "v1"), 1, "no version with the number v1"),
        (("show", "nobody", "two"), 2, "'two' is no version"),
        (("record", "", "--ok"), 1, "tool_name"),
        (("deploy", "t", str(tmp_path / "missing")), 2, "missing"),
        (("worker", "nobody"), 2, "nobody"),
    ):
        result = await rollguard(*words, env=env)
        assert result.code == code, (words, result)
        assert error in result.err, (words, result)
        assert "Traceback" not in result.err
        assert result.out == ""


@pytest.mark.timeout(360)
async def test_the_commands_of_the_readme_work(shared_system: System, tmp_path: Path) -> None:
    env = shared_system.environment()
    readme = (Path(__file__).parents[3] / "README.md").read_text()
    block = readme.partition("## Use it")[2].partition("```console\n")[2].partition("```")[0]
    lines = [line.removeprefix("$ ") for line in block.splitlines()]
    assert len(lines) == 9

    async def type_in(line: str) -> str:
        if not line.startswith("rollguard "):
            shell = await asyncio.create_subprocess_exec("bash", "-c", line, cwd=tmp_path)
            assert await shell.wait() == 0
            return ""
        result = await rollguard(*shlex.split(line)[1:], env=env, cwd=tmp_path)
        assert result.code == 0, (line, result)
        return result.out

    for line in lines[:6]:
        await type_in(line)
    query = "SELECT version_number FROM tool_versions WHERE tool_name = 'words' AND is_current"

    async def first_is_current_again() -> bool:
        [current] = await shared_system.query(query)
        return bool(current["version_number"] == 1)

    await until(first_is_current_again)
    for line in lines[6:]:
        shown = await type_in(line)
        assert "words" in shown or "version" in shown


async def test_error_messages_name_bad_settings_and_hide_secrets(tmp_path: Path) -> None:
    result = await rollguard("topics", env={"ROLLGUARD_RING_SIZE": "2"}, cwd=tmp_path)
    assert result.code == 1
    assert "consecutive_failures (3) must not be greater than ring_size (2)" in result.err
    secret = {"ROLLGUARD_POSTGRES_DSN": "postgresql://me:hunter2@127.0.0.1:1/x?oops=1"}
    result = await rollguard("current", "t", env=secret, cwd=tmp_path)
    assert result.code == 1
    assert "hunter2" not in result.err + result.out


async def test_a_worker_waits_for_its_broker_and_stops_on_a_signal(tmp_path: Path) -> None:
    with socket.socket() as nobody:  # it does not listen, and no other server gets its port
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        output = tmp_path / "output"
        with output.open("wb") as to:
            worker = await Program.start(
                *("rollguard", "worker", "detector"),
                stdout=to,
                stderr=to,
                env={
                    **os.environ,
                    "ROLLGUARD_KAFKA_BROKERS": f"127.0.0.1:{port}",
                    "ROLLGUARD_WEB_PORT": "0",
                },
                folder=tmp_path,
            )

        async def waits() -> bool:
            assert worker.returncode is None, "the worker ended"
            return f"waiting for Kafka: 127.0.0.1:{port} does not answer" in output.read_text()

        await until(waits)
        worker.terminate()
        assert await asyncio.wait_for(worker.wait(), 120) == 0
        assert "Traceback" not in output.read_text()


async def test_workers_name_missing_topics_and_a_missing_schema(
    kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with System.started(kafka, database_dsn, topic_prefix, tmp_path, ()) as system:
        env = system.environment(ROLLGUARD_TOPIC_PREFIX=f"{topic_prefix}none-")
        result = await rollguard("worker", "detector", env=env)
        assert result.code == 1
        assert "missing topics" in result.err
        assert "rollguard topics" in result.err
        await system.query("DROP TABLE schema_migrations CASCADE")
        result = await rollguard("worker", "applier", env=system.environment())
        assert result.code == 1
        assert "rollguard migrate" in result.err
        assert "Traceback" not in result.err


@pytest.mark.kafka
@pytest.mark.timeout(360)
async def test_more_workers_than_partitions_are_refused(
    apache_kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    os.environ["ROLLGUARD_PARTITIONS"] = "1"
    try:
        async with System.started(
            apache_kafka, database_dsn, topic_prefix, tmp_path, ("detector",)
        ) as system:
            env = system.environment(ROLLGUARD_WEB_PORT=str(free_port()))
            result = await rollguard("worker", "detector", env=env)
            assert result.code == 1
            assert "1 detector workers run for 1 partitions" in result.err
    finally:
        del os.environ["ROLLGUARD_PARTITIONS"]
