"""The examples of `docs/seed.md`, run as they are printed there, except for the import.

The blocking API needs no other change; for the async API the calls get an `await`.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from textwrap import indent
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

import rollguard
from rollguard import blocking
from schemas.rollback import automatic_command_id
from tests.support.inputs.messages import execution
from tests.support.systems.system import System

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


class Examples:
    """The examples, run with one of the two APIs."""

    def __init__(self, api: str, system: System, capsys: pytest.CaptureFixture[str]) -> None:
        self._api, self._system, self._capsys = api, system, capsys

    async def run(self, heading: str, **names: Any) -> tuple[dict[str, Any], str]:
        """Run an example; return all names after it, and what it printed."""
        text = example(heading)
        if self._api == "async":
            await self._run_async(text, names)
        else:
            await asyncio.to_thread(self._run_blocking, text, names)
        return names, self._capsys.readouterr().out

    async def _run_async(self, text: str, names: dict[str, Any]) -> None:
        text = text.replace(IMPORT, "from rollguard import ToolVersionManager")
        text = re.sub(r"(?<!= )((?:self\.)?version_manager\.\w+\()", r"await \1", text)
        text = re.sub(r"= ((?:self\.)?version_manager\.\w+\()", r"= await \1", text)
        async with rollguard.ToolVersionManager(self._system.settings) as manager:
            names.setdefault("version_manager", manager)
            exec(f"async def _example():\n{indent(text, '    ')}\n    return locals()", names)
            names |= await names["_example"]()
            if names["version_manager"] is not manager:
                await names["version_manager"].close()

    def _run_blocking(self, text: str, names: dict[str, Any]) -> None:
        text = text.replace(IMPORT, "from rollguard.blocking import ToolVersionManager")
        with closing(blocking.ToolVersionManager(self._system.settings)) as manager:
            names.setdefault("version_manager", manager)
            exec(text, names)
            if names["version_manager"] is not manager:
                names["version_manager"].close()


@pytest.mark.parametrize("api", ["blocking", "async"])
async def test_the_examples_of_version_management(
    api: str, system: System, capsys: pytest.CaptureFixture[str]
) -> None:
    """Run one example after the other: all are about versions 1, 2 and 3 of `my_tool`."""
    examples = Examples(api, system, capsys)
    await show_the_history(examples)
    await compare_versions(examples)
    await check_fast_rollback_triggers(examples, system)
    await show_a_version_without_executions(examples, system)
    await roll_back(examples, system)
    await create_a_version(examples, system)
    await improve_autonomously(system)


async def current_version(system: System) -> asyncpg.Record:
    [row] = await system.query("SELECT * FROM tool_versions WHERE is_current")
    return row


async def show_the_history(examples: Examples) -> None:
    _, printed = await examples.run("Get Version History")
    assert "Version 3:\n  Created: 20" in printed
    assert "By: human\n  Success rate: 75.0%\n  Executions: 4\n" in printed
    assert printed.index("Version 3") < printed.index("Version 2") < printed.index("Version 1")


async def compare_versions(examples: Examples) -> None:
    _, printed = await examples.run("Compare Versions")
    assert "-def execute(text):\n" in printed
    assert "+def execute(text, limit=10):\n" in printed
    assert "  Version 1: 75.0%\n  Version 2: 80.0%\n  Change: +5.0%\n" in printed
    assert "Breaking change" not in printed, "an optional parameter breaks no call"


async def check_fast_rollback_triggers(examples: Examples, system: System) -> None:
    names, printed = await examples.run("Check Fast Rollback Triggers")
    assert "🚨 Immediate rollback needed!\n   Reason: signature_change\n" in printed
    assert names["details"]["failures"] == 2
    assert (await current_version(system))["version_number"] == 2
    [command] = await system.query("SELECT * FROM rollbacks")
    assert command["command_id"] == automatic_command_id("my_tool", 3, 3, 1)
    assert (command["tier"], command["reason"]) == ("immediate", "signature_change")
    assert json.loads(command["details"]) == names["details"] | {"attempt": 1}


async def show_a_version_without_executions(examples: Examples, system: System) -> None:
    assert (await system.deploy("my_tool", "x = 2\n")).version_number == 4
    _, printed = await examples.run("Get Version History")
    assert "Success rate: nan%\n  Executions: 0\n" in printed


async def roll_back(examples: Examples, system: System) -> None:
    _, printed = await examples.run("Rollback to Version")
    assert "✅ Rolled back to version 2\n" in printed
    assert (await current_version(system))["version_number"] == 2
    _, printed = await examples.run("Rollback to Version")
    assert "❌ Rollback failed: v2 (id 2) of 'my_tool' is the current one already" in printed


async def create_a_version(examples: Examples, system: System) -> None:
    names, _ = await examples.run(
        "Create Version Manually", execution_store=system.settings, tool_code="x = 1\n"
    )
    assert names["version_id"] == 5
    current = await current_version(system)
    assert current["version_id"] == 5
    assert current["improvement_type"] == "bug_fix"
    assert current["improvement_reason"] == "Fixed timeout issue"


async def improve_autonomously(system: System) -> None:
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
    assert deployment["version_id"] == 6
    current = await current_version(system)
    assert (current["created_by"], current["previous_version_id"]) == ("autonomous", 5)
    assert current["improvement_reason"] == "it took the wrong end"


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
