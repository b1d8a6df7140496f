"""The verbs of version management: compare, history, show, rollbacks, explain."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from tests.support.command_line import on_terminal, rollguard
from tests.support.messages import execution
from tests.support.system import System
from tests.support.waiting import until

TOOL = "数 parser"
ONE = "def execute(x):\n    return x\n# 🛡 é\r\n"
TWO = "def execute(x, limit):\n    return x\n# \x1b[31mred\n"


@pytest.fixture
def kafka(embedded_broker: str) -> str:
    return embedded_broker


@pytest_asyncio.fixture
async def broken(system: System, tmp_path: Path) -> AsyncIterator[System]:
    """Provide a tool whose second version was rolled back, and a tool with one version."""
    (tmp_path / "one.py").write_bytes(ONE.encode())
    (tmp_path / "two.py").write_bytes(TWO.encode())
    env = system.environment()
    assert (await rollguard("deploy", TOOL, str(tmp_path / "one.py"), env=env)).code == 0
    await system.run(*(execution(TOOL, None) for _ in range(4)))
    await system.executions_recorded(TOOL, 4)
    result = await rollguard(
        *("deploy", TOOL, str(tmp_path / "two.py"), "--by", "autonomous", "--reason", "be quick"),
        *("--accept", "execute=all callers pass it", "--accept", "parameter_removed=why not"),
        env=env,
    )
    assert result.code == 0, result.err
    await system.run(*(execution(TOOL, "TypeError: limit") for _ in range(2)))
    await system.executions_recorded(TOOL, 6)
    await system.deploy("other", ONE)

    async def rolled_back() -> bool:
        return bool(await system.query("SELECT FROM rollbacks WHERE status = 'applied'"))

    await until(rolled_back)
    yield system


@pytest.mark.timeout(150)
async def test_the_history_of_a_version(broken: System) -> None:
    env = broken.environment()
    [command] = await broken.query("SELECT * FROM rollbacks")
    runs = await broken.query("SELECT * FROM tool_executions WHERE NOT success")
    ids = {str(row["execution_id"]) for row in runs}

    history = json.loads((await rollguard("history", TOOL, "--json", env=env)).out)
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
    result = (await rollguard("history", TOOL, env=env)).out
    for word in ("be quick", "autonomous", "immediate", "signature_change", "100.0 %", "limit"):
        assert word in result
    result = (await rollguard("show", TOOL, "2", env=env)).out
    assert all(each in result for each in ids), "the executions that decided"
    assert "all callers pass it" in result
    assert result.endswith(f"\n\n{TWO}"), "code in a pipe must be as it is"
    assert "␛[31mred" in on_terminal("show", TOOL, "2", env=env).out

    listed = json.loads((await rollguard("rollbacks", "--json", env=env)).out)
    assert [each["command_id"] for each in listed] == [str(command["command_id"])]
    assert (
        json.loads((await rollguard("rollbacks", "--tool", "other", "--json", env=env)).out) == []
    )
    for since, count in (("1h", 1), ("0s", 0), ("2020-01-01T00:00:00Z", 1), ("9999999d", 1)):
        result = (await rollguard("rollbacks", "--since", since, "--json", env=env)).out
        assert len(json.loads(result)) == count, since
    assert "signature_change" in (await rollguard("rollbacks", env=env)).out
    assert (await rollguard("rollbacks", "--since", "yesterday", env=env)).code == 2

    words = ("explain", str(command["command_id"]))
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


@pytest.mark.timeout(150)
async def test_compare(broken: System, tmp_path: Path) -> None:
    env = broken.environment()
    found = json.loads((await rollguard("compare", TOOL, "1", "2", "--json", env=env)).out)
    assert found["is_breaking_change"]
    assert found["code_diff"].endswith("-# 🛡 é\r\n+# \x1b[31mred\n")
    assert found["metrics_comparison"]["success_rate_change"] == -1
    assert {each["accepted"] for each in found["findings"]} == {"all callers pass it"}
    result = await rollguard("compare", TOOL, "1", "2", env=env)
    assert result.code == 0
    assert "95% confidence interval" in result.out
    assert result.out.endswith(found["code_diff"]), "patch must be able to read it"
    assert "\x1b[32m" not in result.out
    back = json.loads((await rollguard("compare", TOOL, "2", "1", "--json", env=env)).out)
    assert back["metrics_comparison"]["success_rate_change"] == 1
    for words in ((TOOL, "1", "77"), ("other", "1", "2"), ("none", "1", "2")):
        wrong = await rollguard("compare", *words, env=env)
        assert (wrong.code, wrong.out) == (1, "")
        assert f"{words[0]!r} has no version with the id" in wrong.err
    assert (await rollguard("compare", TOOL, "1", env=env)).code == 2


@pytest.mark.timeout(150)
async def test_colour_on_a_terminal(broken: System) -> None:
    result = on_terminal("compare", TOOL, "1", "2", env=broken.environment()).out
    assert "\x1b[32m+def execute(x, limit):" in result
    assert "\x1b[31m-def execute(x):" in result
    assert "+# ␛[31mred" in result


async def test_an_accepted_break_needs_a_reason(system: System, tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("x = 1\n")
    result = await rollguard(
        *("deploy", "t", str(tmp_path / "one.py"), "--accept", str(uuid4())),
        env=system.environment(),
    )
    assert result.code == 2
    assert "WHAT=REASON" in result.err


@pytest.mark.timeout(150)
async def test_prune(broken: System) -> None:
    env = broken.environment()
    await broken.query("UPDATE tool_executions SET executed_at = executed_at - interval '40 days'")
    words = ("prune", "--older-than")
    result = await rollguard(*words, "50d", "--yes", "--json", env=env)
    assert json.loads(result.out)["executions"] == 0

    result = await rollguard(*words, "30d", env=env)
    assert (result.code, result.out) == (2, "")
    assert f"{TOOL}: 6 executions" in result.err
    assert "nobody can be asked: give --yes" in result.err
    result = on_terminal(*words, "30d", env=env, typed="no\n")
    assert result.code == 1
    assert "removes 6 executions of 1 tools" in result.out
    assert "nothing was removed" in result.out
    assert (await broken.query("SELECT count(*) FROM tool_executions"))[0][0] == 6

    result = await rollguard(*words, "30d", "--yes", "--json", env=env)
    assert (result.code, result.err) == (0, "")
    done = json.loads(result.out)
    assert (done["executions"], done["tools"]) == (6, {TOOL: 6})
    shown = json.loads((await rollguard("show", TOOL, "1", "--json", env=env)).out)
    assert (shown["total_executions"], shown["success_rate"], shown["pruned_executions"]) == (
        4,
        1.0,
        4,
    )
    [command] = await broken.query("SELECT command_id FROM rollbacks")
    explaining = ("explain", str(command["command_id"]), "--json")
    explained = json.loads((await rollguard(*explaining, env=env)).out)
    assert explained["executions"] == []
    assert len(explained["unrecorded"]) >= 2
    assert on_terminal(*words, "0s", env=env, typed="y\n").code == 0
    for wrong in ("tomorrow", "2999-01-01T00:00:00Z"):
        assert (await rollguard(*words, wrong, "--yes", env=env)).code == 2
    assert (await rollguard("prune", "--yes", env=env)).code == 2
