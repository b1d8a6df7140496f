"""`Engine`: the executions that it publishes."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from examples.engine.catalogue import TOOLS
from examples.engine.engine import Engine
from examples.engine.files import stdlib_files
from examples.engine.tool_process import ToolFailed, ToolProcess
from rollguard.client import EngineClient, Execution
from rollguard.registry import LoadedTool, ToolRegistry
from tests.support.tool_process import running_tool, version_of


class Published:
    """A client that keeps all published executions."""

    def __init__(self) -> None:
        self.executions: list[Execution] = []

    async def publish_execution(self, execution: Execution) -> None:
        self.executions.append(execution)


class Registered:
    """A registry that has loaded what the test says."""

    def __init__(self, **loaded: LoadedTool[ToolProcess]) -> None:
        self.loaded = loaded

    async def load(self, tool_name: str) -> LoadedTool[ToolProcess] | None:
        return self.loaded.get(tool_name)


def engine_of(
    client: Published, registry: Registered, files: Sequence[Path] | None = None
) -> Engine:
    return Engine(
        cast(EngineClient, client),
        cast("ToolRegistry[ToolProcess]", registry),
        files or stdlib_files(),
    )


async def test_every_run_is_published_with_its_version() -> None:
    published, registry = Published(), Registered()
    engine = engine_of(published, registry)
    assert await engine.run_once("dependencies") is None
    for number in (1, 2):
        current = version_of("dependencies", TOOLS["dependencies"].code(number), number)
        async with running_tool(current.code) as process:
            registry.loaded["dependencies"] = LoadedTool(current, process)
            await engine.run_once("dependencies")
    good, bad = published.executions
    assert (good.version_id, good.success, good.error) == (1, True, None)
    assert (bad.version_id, bad.success, bad.error_class) == (2, False, "TypeError")
    assert bad.error is not None
    assert "unexpected keyword argument 'stdlib'" in bad.error
    assert good.duration_ms is not None
    assert good.duration_ms > 0
    assert good.session_id == bad.session_id


async def test_a_version_that_does_not_load_fails_on_every_call() -> None:
    broken = version_of("complexity", "def execute(:", 4)
    error = ToolFailed("SyntaxError: invalid syntax", "SyntaxError")
    published = Published()
    engine = engine_of(published, Registered(complexity=LoadedTool(broken, None, error)))
    await engine.run_once("complexity")
    (execution,) = published.executions
    assert (execution.version_id, execution.success) == (4, False)
    assert (execution.error, execution.error_type) == (str(error), "SyntaxError")


async def test_the_engine_runs_until_it_is_stopped() -> None:
    stop, published = asyncio.Event(), Published()
    code = TOOLS["line_endings"].code(1)
    async with running_tool(code) as process:
        loaded = LoadedTool(version_of("line_endings", code), process)
        engine = engine_of(published, Registered(line_endings=loaded))
        engine.on_run.append(lambda _: stop.set() if len(published.executions) == 3 else None)
        await engine.run(["line_endings", "complexity"], 0, stop)
    assert len(published.executions) == 3


async def test_a_file_that_is_not_there_is_the_callers_failure(tmp_path: Path) -> None:
    (tmp_path / "there.py").write_text("x = (\n")
    code = "def execute(path):\n    open(path).read()\n    raise OSError('the disk is full')\n"
    current, published = version_of("line_endings", code), Published()
    async with running_tool(code) as process:
        loaded = LoadedTool(current, process)
        files = [tmp_path / "gone.py", tmp_path / "there.py"]
        engine = engine_of(published, Registered(line_endings=loaded), files)
        for _ in range(2):
            await engine.run_once("line_endings")
    gone, there = published.executions
    assert (gone.error_class, gone.error_origin) == ("FileNotFoundError", "caller")
    assert (there.error_class, there.error_origin) == ("OSError", None)  # the tool says so
