"""The command line as a subprocess: from `up` to `health`, and its error messages."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from rollguard.embedded.ports import free_port
from tests.support.command_line import rollguard
from tests.support.system import System
from tests.support.waiting import until


@pytest_asyncio.fixture
async def up() -> AsyncIterator[dict[str, str]]:
    """Run `rollguard up`, and provide the variables that it prints."""
    port = str(free_port())
    env = {name: value for name, value in os.environ.items() if not name.startswith("ROLLGUARD_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "rollguard", "up"),
        stdout=asyncio.subprocess.PIPE,
        env={**env, "ROLLGUARD_WEB_PORT": port},
    )
    assert process.stdout is not None
    printed: dict[str, str] = {}
    async with asyncio.timeout(50):
        while (line := (await process.stdout.readline()).decode()) and "Ctrl-C" not in line:
            if line.startswith("export "):
                name, _, value = line.removeprefix("export ").strip().partition("=")
                printed[name] = value.strip("'")
    yield printed
    process.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(process.wait(), 20) == 0


@pytest.mark.timeout(180)
async def test_from_up_to_health(up: dict[str, str], tmp_path: Path) -> None:
    good, bad = tmp_path / "good.py", tmp_path / "bad.py"
    good.write_text("def execute(x):\n    return x\n# 数 🛡\r\n")
    bad.write_text("def execute(x, limit):\n    return x\n", "utf-8-sig")

    first = await rollguard("deploy", "parser", str(good), "--json", env=up)
    assert first.code == 0, first.err
    version = json.loads(first.out)
    assert (version["version_number"], version["is_current"]) == (1, True)
    assert version["success_rate"] is None
    second = await rollguard(
        *("deploy", "parser", str(bad), "--by", "autonomous", "--type", "bug_fix"),
        *("--reason", "faster", "--json"),
        env=up,
    )
    broken = json.loads(second.out)
    assert broken["improvement_reason"] == "faster"
    assert broken["code"] == bad.read_text("utf-8-sig")
    assert broken["breaking_changes"] == ["execute() needs a new parameter 'limit'."]

    assert (await rollguard("record", "parser", "--ok", env=up)).code == 0
    lines = [
        {
            "execution_id": f"00000000-0000-4000-8000-00000000000{number}",
            "tool_name": "parser",
            "success": False,
            "error": "TypeError: missing 1 required positional argument: 'limit'",
            "executed_at": "2026-01-01T00:00:00Z",
        }
        for number in range(2)
    ]
    jsonl = "\n".join(json.dumps(line) for line in lines) + "\nnonsense\n"
    recorded = await rollguard("record", "--jsonl", "-", env=up, stdin=jsonl.encode("utf-8-sig"))
    assert recorded.code == 1
    assert "line 3" in recorded.err
    for _ in range(2):
        result = await rollguard("record", "parser", "--error", "TypeError: limit", env=up)
        assert result.code == 0, result.err

    async def rolled_back() -> bool:
        current = await rollguard("current", "parser", "--json", env=up)
        return bool(json.loads(current.out)["version_id"] == version["version_id"])

    await until(rolled_back)
    history = json.loads((await rollguard("history", "parser", "--json", env=up)).out)
    assert [each["version_number"] for each in history] == [2, 1]
    shown = await rollguard("show", "parser", str(version["version_id"]), "--json", env=up)
    assert json.loads(shown.out)["code"] == good.read_bytes().decode()
    health = json.loads((await rollguard("health", "parser", "--json", env=up)).out)
    assert health["version_id"] == version["version_id"]
    check = json.loads((await rollguard("check", "parser", "--json", env=up)).out)
    assert check == {"needs_rollback": False, "tier": None, "reason": None, "details": {}}
    forward = await rollguard(
        *("rollback", "parser", str(broken["version_id"]), "--reason", "try again", "--json"),
        env=up,
    )
    assert (forward.code, json.loads(forward.out)["status"]) == (0, "applied")
    again = await rollguard("rollback", "parser", str(broken["version_id"]), env=up)
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


@pytest.mark.timeout(120)
async def test_the_commands_of_the_readme_work(shared_system: System, tmp_path: Path) -> None:
    env = shared_system.environment()
    readme = (Path(__file__).parents[3] / "README.md").read_text()
    block = readme.partition("## Use it")[2].partition("```console\n")[2].partition("```")[0]
    lines = [line.removeprefix("$ ") for line in block.splitlines()]
    assert len(lines) == 9
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = await asyncio.create_subprocess_exec(
        *("bash", "-ec", "\n".join(lines[:6])),
        env={**env, "PATH": path},
        cwd=tmp_path,
        stdout=asyncio.subprocess.DEVNULL,
    )
    assert await asyncio.wait_for(process.wait(), 60) == 0

    async def first_is_current_again() -> bool:
        current = await rollguard("current", "words", "--json", env=env)
        return bool(json.loads(current.out)["version_number"] == 1)

    await until(first_is_current_again)
    for line in lines[6:]:
        result = await rollguard(*line.split()[1:], env=env)
        assert result.code == 0
        assert "words" in result.out or "version" in result.out


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
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "rollguard", "worker", "detector"),
            stderr=asyncio.subprocess.PIPE,
            env={
                **os.environ,
                "ROLLGUARD_KAFKA_BROKERS": f"127.0.0.1:{port}",
                "ROLLGUARD_WEB_PORT": "0",
            },
            cwd=tmp_path,
        )
        assert process.stderr is not None
        async with asyncio.timeout(20):
            line = ""
            while f"waiting for Kafka: 127.0.0.1:{port} does not answer" not in line:
                line = (await process.stderr.readline()).decode()
                assert line, "the worker ended"
                assert "Traceback" not in line
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 10) == 0


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
@pytest.mark.timeout(120)
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
