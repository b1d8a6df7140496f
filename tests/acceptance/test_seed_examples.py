"""The examples of `docs/seed.md`, run as they are printed there, except for the import.

The blocking API needs no other change; for the async API the calls get an `await`.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from textwrap import indent
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio

import rollguard
from rollguard import blocking
from schemas.rollback import automatic_command_id
from tests.support.messages import execution
from tests.support.system import System

SEED = Path(__file__).parents[2] / "docs" / "seed.md"
VERSIONS = (
    "def execute(text):\n    return text\n",
    "def execute(text, limit=10):\n    return text[:limit]\n",
    "def execute(text, size):\n    return text[:size]\n",
)
IMPORT = "from neural_engine.core.tool_version_manager import ToolVersionManager"


def example(heading: str) -> str:
    """Return the first block of Python after this heading of the seed, as it is printed."""
    below = SEED.read_text("utf-8").split(f"# {heading}\n", 1)[1]
    found = re.search(r"```python\n(.*?)```", below, re.DOTALL)
    assert found is not None
    return found[1]


@pytest_asyncio.fixture
async def system(
    kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> AsyncIterator[System]:
    """Provide three versions of `my_tool`, each with executions; the third one is broken.

    No detector runs, because it would roll the third one back first.
    """
    async with System.started(
        kafka, database_dsn, topic_prefix, tmp_path, ("applier", "recorder")
    ) as running:
        ids = [(await running.deploy("my_tool", code)).version_id for code in VERSIONS]
        assert ids == [1, 2, 3]
        signature = "TypeError(\"unexpected keyword argument 'limit'\")"
        for version_id, errors in (
            (1, [None, None, None, "x"]),
            (2, [None, None, None, None, "x"]),
            (3, [None, signature, signature]),
        ):
            await running.run(
                *(execution("my_tool", error, version_id=version_id) for error in errors)
            )
        await running.executions_recorded("my_tool", 12)
        yield running


@pytest.fixture(params=["blocking", "async"])
def run(
    request: pytest.FixtureRequest, system: System, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Any]:
    """Provide a function that runs an example; it returns all names after it and the output."""

    async def run_async(text: str, names: dict[str, Any]) -> None:
        text = text.replace(IMPORT, "from rollguard import ToolVersionManager")
        text = re.sub(r"(?<!= )((?:self\.)?version_manager\.\w+\()", r"await \1", text)
        text = re.sub(r"= ((?:self\.)?version_manager\.\w+\()", r"= await \1", text)
        async with rollguard.ToolVersionManager(system.settings) as manager:
            names.setdefault("version_manager", manager)
            exec(f"async def _example():\n{indent(text, '    ')}\n    return locals()", names)
            names |= await names["_example"]()
            if names["version_manager"] is not manager:
                await names["version_manager"].close()

    def run_blocking(text: str, names: dict[str, Any]) -> None:
        text = text.replace(IMPORT, "from rollguard.blocking import ToolVersionManager")
        with closing(blocking.ToolVersionManager(system.settings)) as manager:
            names.setdefault("version_manager", manager)
            exec(text, names)
            if names["version_manager"] is not manager:
                names["version_manager"].close()

    async def run_it(heading: str, **names: Any) -> tuple[dict[str, Any], str]:
        text = example(heading)
        if request.param == "async":
            await run_async(text, names)
        else:
            await asyncio.to_thread(run_blocking, text, names)
        return names, capsys.readouterr().out

    return run_it


async def test_create_version_manually(run: Callable[..., Any], system: System) -> None:
    names, _ = await run(
        "Create Version Manually", execution_store=system.settings, tool_code="x = 1\n"
    )
    assert names["version_id"] == 4
    [row] = await system.query("SELECT * FROM tool_versions WHERE version_id = 4")
    assert row["improvement_type"] == "bug_fix"
    assert row["improvement_reason"] == "Fixed timeout issue"


async def test_get_version_history(run: Callable[..., Any]) -> None:
    _, printed = await run("Get Version History")
    assert "Version 3:\n  Created: 20" in printed
    assert "By: human\n  Success rate: 75.0%\n  Executions: 4\n" in printed
    assert printed.index("Version 3") < printed.index("Version 2") < printed.index("Version 1")


async def test_a_version_without_executions_has_a_rate_to_print(
    run: Callable[..., Any], system: System
) -> None:
    await system.deploy("my_tool", "x = 2\n")
    _, printed = await run("Get Version History")
    assert "Success rate: nan%\n  Executions: 0\n" in printed


async def test_compare_versions(run: Callable[..., Any]) -> None:
    _, printed = await run("Compare Versions")
    assert "-def execute(text):\n" in printed
    assert "+def execute(text, limit=10):\n" in printed
    assert "  Version 1: 75.0%\n  Version 2: 80.0%\n  Change: +5.0%\n" in printed
    assert "Breaking change" not in printed, "an optional parameter breaks no call"


async def test_rollback_to_version(run: Callable[..., Any], system: System) -> None:
    _, printed = await run("Rollback to Version")
    assert "✅ Rolled back to version 2\n" in printed
    [row] = await system.query("SELECT * FROM tool_versions WHERE is_current")
    assert row["version_number"] == 2
    _, printed = await run("Rollback to Version")
    assert "❌ Rollback failed: v2 (id 2) of 'my_tool' is the current one already" in printed


async def test_check_fast_rollback_triggers(run: Callable[..., Any], system: System) -> None:
    names, printed = await run("Check Fast Rollback Triggers")
    assert "🚨 Immediate rollback needed!\n   Reason: signature_change\n" in printed
    assert names["details"]["failures"] == 2
    [row] = await system.query("SELECT * FROM tool_versions WHERE is_current")
    assert row["version_number"] == 2
    [command] = await system.query("SELECT * FROM rollbacks")
    assert command["command_id"] == automatic_command_id("my_tool", 3, 3, 1)
    assert (command["tier"], command["reason"]) == ("immediate", "signature_change")
    assert json.loads(command["details"]) == names["details"] | {"attempt": 1}


async def test_the_autonomous_improvement_neuron(system: System) -> None:
    self = SimpleNamespace()
    deployment: dict[str, Any] = {}
    names: dict[str, Any] = {
        "self": self,
        "tool_name": "my_tool",
        "generated_code": "def execute(text, limit=10):\n    return text[-limit:]\n",
        "investigation_report": {"root_cause": "it took the wrong end"},
        "deployment": deployment,
    }
    async with rollguard.ToolVersionManager(system.settings) as manager:
        self.version_manager = manager
        text = example("Autonomous Improvement Neuron").replace("= self.v", "= await self.v")
        exec(f"async def _example():\n{indent(text, '    ')}", names)
        await names["_example"]()
    assert deployment["version_id"] == 4
    [row] = await system.query("SELECT * FROM tool_versions WHERE is_current")
    assert (row["created_by"], row["previous_version_id"]) == ("autonomous", 3)
    assert row["improvement_reason"] == "it took the wrong end"


@pytest.mark.parametrize("module", [rollguard, blocking])
def test_the_autonomous_loop(module: Any) -> None:
    """Run the example with no broker or database: connections are opened only when needed."""
    registry = SimpleNamespace(reload=lambda version: None)
    self = SimpleNamespace(autonomous_improvement=SimpleNamespace())
    names = {
        "self": self,
        "execution_store": object(),
        "orchestrator": SimpleNamespace(tool_registry=registry),
        "tool_registry": registry,
        "ToolVersionManager": module.ToolVersionManager,
        "DeploymentMonitor": module.DeploymentMonitor,
    }
    exec(example("Autonomous Loop"), names)
    assert self.autonomous_improvement.version_manager is self.version_manager
    assert self.deployment_monitor.version_manager is self.version_manager
    if module is blocking:
        self.version_manager.close()
