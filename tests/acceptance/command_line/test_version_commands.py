"""The verbs of version management: compare, history, show, rollbacks, explain."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from tests.support.inputs.messages import execution
from tests.support.systems.command_line import on_terminal, rollguard
from tests.support.systems.system import System
from tests.support.systems.workers import Workers
from tests.support.waiting import until

ONE = "def execute(x):\n    return x\n# 🛡 é\r\n"
TWO = "def execute(x, limit):\n    return x\n# \x1b[31mred\n"

pytestmark = pytest.mark.timeout(450)


class Broken(NamedTuple):
    """A tool whose second version was rolled back."""

    name: str
    first: str
    second: str
    command_id: str
    env: dict[str, str]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def broken(
    _three_roles: Workers, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Broken]:
    """Provide a tool for tests that only read."""
    async with System.of(_three_roles) as system:
        yield await break_one(system, f"数 {uuid4()}", tmp_path_factory.mktemp("broken"))


async def break_one(system: System, name: str, folder: Path) -> Broken:
    """Deploy two versions with the command line, and return when the second was rolled back."""
    env = system.environment()
    (folder / "one.py").write_bytes(ONE.encode())
    (folder / "two.py").write_bytes(TWO.encode())
    assert (await rollguard("deploy", name, str(folder / "one.py"), env=env)).code == 0
    await system.run(*(execution(name, None) for _ in range(4)))
    await system.executions_recorded(name, 4)
    result = await rollguard(
        *("deploy", name, str(folder / "two.py"), "--by", "autonomous", "--reason", "be quick"),
        *("--accept", "execute=all callers pass it", "--accept", "parameter_removed=why not"),
        env=env,
    )
    assert result.code == 0, result.err
    await system.run(*(execution(name, "TypeError: limit") for _ in range(2)))
    await system.executions_recorded(name, 6)
    query = "SELECT * FROM rollbacks WHERE tool_name = $1 AND status = 'applied'"

    async def rolled_back() -> bool:
        return bool(await system.query(query, name))

    await until(rolled_back)
    [row] = await system.query(query, name)
    first, second = str(row["to_version_id"]), str(row["from_version_id"])
    return Broken(name, first, second, str(row["command_id"]), env)


async def test_the_history_of_a_version(shared_system: System, broken: Broken) -> None:
    tool, env = broken.name, broken.env
    sql = "SELECT * FROM tool_executions WHERE tool_name = $1 AND NOT success"
    runs = await shared_system.query(sql, tool)
    ids = {str(row["execution_id"]) for row in runs}

    history = json.loads((await rollguard("history", tool, "--json", env=env)).out)
    assert [version["version_number"] for version in history] == [2, 1]
    newest = history[0]
    assert newest["is_breaking_change"]
    assert newest["trusted"] is False
    assert newest["accepted_breaks"] == [
        {"kind": None, "object": "execute", "reason": "all callers pass it"},
        {"kind": "parameter_removed", "object": None, "reason": "why not"},
    ]
    assert [each["reason"] for each in newest["rollbacks"]] == ["signature_change"]
    assert set(newest["rollbacks"][0]["details"]["recent"]) >= ids
    result = (await rollguard("history", tool, env=env)).out
    for word in ("be quick", "autonomous", "immediate", "signature_change", "100.0 %", "limit"):
        assert word in result
    result = (await rollguard("show", tool, "v2", env=env)).out
    assert all(each in result for each in ids), "the executions that decided"
    assert "all callers pass it" in result
    assert result.endswith(f"\n\n{TWO}"), "code in a pipe must be as it is"
    assert "␛[31mred" in (await on_terminal("show", tool, "v2", env=env)).out

    async def rollbacks(*words: str) -> list[str]:
        result = await rollguard("rollbacks", "--tool", *words, "--json", env=env)
        return [each["command_id"] for each in json.loads(result.out)]

    assert await rollbacks("other") == []
    assert await rollbacks(tool) == [broken.command_id]
    for since, count in (("1h", 1), ("0s", 0), ("2020-01-01T00:00:00Z", 1), ("9999999d", 1)):
        assert len(await rollbacks(tool, "--since", since)) == count, since
    assert "signature_change" in (await rollguard("rollbacks", env=env)).out
    assert (await rollguard("rollbacks", "--since", "yesterday", env=env)).code == 2

    words = ("explain", broken.command_id)
    explained = json.loads((await rollguard(*words, "--json", env=env)).out)
    assert {each["execution_id"] for each in explained["executions"]} >= ids
    assert explained["unrecorded"] == []
    assert explained["executions"][0]["error"] == "TypeError: limit"
    assert "at least 2 failures are TypeError or AttributeError" in explained["rule"]
    result = (await rollguard(*words, env=env)).out
    assert "TypeError: limit" in result
    assert "at least 2 failures" in result
    unknown = await rollguard("explain", str(UUID(int=1)), env=env)
    assert (unknown.code, unknown.out) == (1, "")
    assert "no rollback has the id" in unknown.err
    assert (await rollguard("explain", "nonsense", env=env)).code == 2


async def test_compare(shared_system: System, broken: Broken) -> None:
    tool, first, second, env = broken.name, broken.first, broken.second, broken.env
    found = json.loads((await rollguard("compare", tool, "v1", "v2", "--json", env=env)).out)
    assert found["is_breaking_change"]
    assert found["code_diff"].endswith("-# 🛡 é\r\n+# \x1b[31mred\n")
    assert found["metrics_comparison"]["success_rate_change"] == -1
    assert {each["accepted"] for each in found["findings"]} == {"all callers pass it"}
    result = await rollguard("compare", tool, first, second, env=env)
    assert result.code == 0
    assert "95% confidence interval" in result.out
    assert result.out.endswith(found["code_diff"]), "patch must be able to read it"
    assert "\x1b[32m" not in result.out
    back = json.loads((await rollguard("compare", tool, second, first, "--json", env=env)).out)
    assert back["metrics_comparison"]["success_rate_change"] == 1
    await shared_system.deploy(other := f"other than {tool}", ONE)
    for words in ((tool, first, "777777"), (other, first, second), ("none", first, second)):
        wrong = await rollguard("compare", *words, env=env)
        assert (wrong.code, wrong.out) == (1, "")
        assert f"{words[0]!r} has no version with the id" in wrong.err
    assert (await rollguard("compare", tool, first, env=env)).code == 2

    coloured = (await on_terminal("compare", tool, first, second, env=env)).out
    assert "\x1b[32m+def execute(x, limit):" in coloured
    assert "\x1b[31m-def execute(x):" in coloured
    assert "+# ␛[31mred" in coloured


async def test_an_accepted_break_needs_a_reason(shared_system: System, tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("x = 1\n")
    result = await rollguard(
        *("deploy", "t", str(tmp_path / "one.py"), "--accept", str(uuid4())),
        env=shared_system.environment(),
    )
    assert result.code == 2
    assert "WHAT=REASON" in result.err


async def test_prune(shared_system: System, tool: str, tmp_path: Path) -> None:
    system = shared_system
    broken = await break_one(system, tool, tmp_path)
    env = broken.env
    age = "UPDATE tool_executions SET executed_at = executed_at - interval '40 days'"
    await system.query(f"{age} WHERE tool_name = $1", tool)
    words = ("prune", "--older-than")
    result = await rollguard(*words, "50d", "--yes", "--json", env=env)
    assert json.loads(result.out)["executions"] == 0

    result = await rollguard(*words, "30d", env=env)
    assert (result.code, result.out) == (2, "")
    assert f"{tool}: 6 executions" in result.err
    assert "nobody can be asked: give --yes" in result.err
    result = await on_terminal(*words, "30d", env=env, typed="no\n")
    assert result.code == 1
    assert "removes 6 executions of 1 tools" in result.out
    assert "nothing was removed" in result.out
    count = "SELECT count(*) FROM tool_executions WHERE tool_name = $1"
    assert (await system.query(count, tool))[0][0] == 6

    result = await rollguard(*words, "30d", "--yes", "--json", env=env)
    assert (result.code, result.err) == (0, "")
    done = json.loads(result.out)
    assert (done["executions"], done["tools"]) == (6, {tool: 6})
    shown = json.loads((await rollguard("show", tool, "v1", "--json", env=env)).out)
    assert (shown["total_executions"], shown["success_rate"], shown["pruned_executions"]) == (
        4,
        1.0,
        4,
    )
    explaining = ("explain", broken.command_id, "--json")
    explained = json.loads((await rollguard(*explaining, env=env)).out)
    assert explained["executions"] == []
    assert len(explained["unrecorded"]) >= 2
    await system.run(execution(tool))
    await system.executions_recorded(tool, 1)
    await system.query(f"{age} WHERE tool_name = $1", tool)
    assert (await on_terminal(*words, "30d", env=env, typed="y\n")).code == 0
    assert (await system.query(count, tool))[0][0] == 0
    for wrong in ("tomorrow", "2999-01-01T00:00:00Z"):
        assert (await rollguard(*words, wrong, "--yes", env=env)).code == 2
    assert (await rollguard("prune", "--yes", env=env)).code == 2
