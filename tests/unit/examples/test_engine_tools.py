"""The example engine: what its tools do on real files, in real child processes."""

import ast
import asyncio
import tokenize
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import cast
from uuid import UUID

import pytest

from examples.engine.catalogue import TOOLS
from examples.engine.engine import Engine
from examples.engine.files import stdlib_files
from examples.engine.tool_process import Child, ToolFailed
from rollguard.client import EngineClient, Execution
from rollguard.registry import LoadedTool, ToolRegistry
from schemas.deployment import ToolVersion, code_hash_of
from schemas.execution import ActivatedBy

FILES = stdlib_files()
NON_ASCII = [path for path in FILES if not path.read_bytes().isascii()]

GOOD = [
    *(("dependencies", 1), ("todo_comments", 1), ("complexity", 1), ("complexity", 3)),
    *(("docstring_coverage", 1), ("longest_functions", 2), ("line_endings", 1)),
    *(("public_api", 1), ("identifiers", 1)),
]


def version(tool_name: str, code: str, number: int = 1) -> ToolVersion:
    return ToolVersion(
        tool_name=tool_name,
        version_id=number,
        version_number=number,
        code=code,
        code_hash=code_hash_of(code),
        created_by="human",
        improvement_type="initial",
        is_breaking_change=False,
        breaking_changes=[],
        deployment_id=UUID(int=number),
        activation=number,
        activated_at=datetime(2026, 1, 31, tzinfo=UTC),
        activated_by=ActivatedBy(kind="deployment", id=UUID(int=number)),
    )


@asynccontextmanager
async def child_of(code: str, limit_s: float = 20) -> AsyncIterator[Child]:
    child = Child(version("tool", code), limit_s)
    try:
        await child.start()
        yield child
    finally:
        await child.close()


async def outcomes(tool_name: str, number: int, files: list[Path]) -> dict[Path, str | None]:
    """What the engine's call came to on each file: an exception's class name, or None."""
    tool, found = TOOLS[tool_name], dict[Path, str | None]()
    async with child_of(tool.code(number)) as child:
        for path in files:
            call = tool.call(str(path))
            try:
                assert await child.call(*call.args, **call.kwargs) is not None
                found[path] = None
            except ToolFailed as error:
                found[path] = error.error_type
    return found


def without_docstring(path: Path) -> bool:
    with tokenize.open(path) as source:
        return not ast.get_docstring(ast.parse(source.read()))


def test_files_are_many_and_always_the_same() -> None:
    assert len(FILES) >= 200
    assert stdlib_files() == FILES
    assert len(NON_ASCII) >= 3


def test_every_version_of_the_catalogue_is_there() -> None:
    assert len(TOOLS) >= 6
    for tool in TOOLS.values():
        for number in range(1, len(tool.changes) + 1):
            compile(tool.code(number), tool.name, "exec")
        with pytest.raises(FileNotFoundError):
            tool.code(len(tool.changes) + 1)


@pytest.mark.parametrize(("tool_name", "number"), GOOD)
async def test_good_versions_work_on_every_file(tool_name: str, number: int) -> None:
    files = FILES[:40] + NON_ASCII
    assert set((await outcomes(tool_name, number, files)).values()) == {None}


@pytest.mark.parametrize(
    ("tool_name", "error_type"), [("dependencies", "TypeError"), ("todo_comments", "ValueError")]
)
async def test_bad_versions_fail_on_every_file(tool_name: str, error_type: str) -> None:
    assert set((await outcomes(tool_name, 2, FILES[:30])).values()) == {error_type}


@pytest.mark.parametrize(
    ("tool_name", "number", "error_type", "fails_on"),
    [
        ("docstring_coverage", 2, "IndexError", without_docstring),
        ("longest_functions", 1, "UnicodeDecodeError", lambda path: path in NON_ASCII),
    ],
)
async def test_some_fail_on_some_files(
    tool_name: str, number: int, error_type: str, fails_on: Callable[[Path], bool]
) -> None:
    files = FILES[:30] + NON_ASCII
    expected = {path: error_type if fails_on(path) else None for path in files}
    assert set(expected.values()) == {error_type, None}
    assert await outcomes(tool_name, number, files) == expected


@pytest.mark.parametrize(
    ("tool_name", "number", "error_type"),
    [("complexity", 2, "KeyError"), ("public_api", 2, "AttributeError")],
)
async def test_some_fail_more_often_than_not_at_all(
    tool_name: str, number: int, error_type: str
) -> None:
    assert set((await outcomes(tool_name, number, FILES[:60])).values()) == {error_type, None}


@pytest.mark.parametrize(("tool_name", "worse"), [("longest_functions", 1), ("complexity", 2)])
async def test_the_better_one_does_what_its_predecessor_could_not(
    tool_name: str, worse: int
) -> None:
    files = FILES[:60] + NON_ASCII
    before = await outcomes(tool_name, worse, files)
    failed = [path for path, error_type in before.items() if error_type]
    assert failed
    assert set((await outcomes(tool_name, worse + 1, failed)).values()) == {None}


async def test_results_are_right(tmp_path: Path) -> None:
    path = tmp_path / "sample.py"
    path.write_bytes(
        b'\xef\xbb\xbf"""Sample."""\r\nimport os.path, numpy\r\n# TODO: more\r\n'
        b"LIMIT = 3\r\ndef area(side):\r\n    if side > 0 and side < 9:\r\n        return side\r\n"
    )
    expected = {
        ("dependencies", 1): {"modules": ["numpy", "os"]},
        ("todo_comments", 1): [{"line": 3, "tag": "TODO", "text": " TODO: more"}],
        ("complexity", 1): {"5:area": 3},  # 1 + if + and
        ("docstring_coverage", 1): {"count": 2, "coverage": 0.5},
        ("longest_functions", 2): [{"name": "area", "line": 5, "lines": 3}],
        ("public_api", 1): {"classes": [], "functions": ["area(side)"], "constants": ["LIMIT"]},
    }
    for (tool_name, number), result in expected.items():
        tool = TOOLS[tool_name]
        call = tool.call(str(path))
        async with child_of(tool.code(number)) as child:
            assert await child.call(*call.args, **call.kwargs) == result
    async with child_of(TOOLS["line_endings"].code(1)) as child:
        result = await child.call(str(path))
    assert (result["encoding"], result["bom"], result["endings"]) == ("utf-8-sig", True, "\r\n")


async def test_a_call_beyond_its_limit_is_ended_and_the_next_one_works() -> None:
    code = "def execute(forever):\n    while forever:\n        pass\n    return 'done'"
    async with child_of(code, limit_s=0.5) as child:
        with pytest.raises(ToolFailed, match=r"^TimeoutError: no result within 0\.5 s$"):
            await child.call(True)
        child._limit_s = 20
        assert await child.call(False) == "done"


async def test_a_tool_that_kills_its_process_is_a_failure_and_the_next_one_works() -> None:
    code = "import os\ndef execute(status):\n    if status: os._exit(status)\n    return 'alive'"
    async with child_of(code) as child:
        with pytest.raises(ToolFailed, match="ended with 3") as died:
            await child.call(3)
        assert died.value.error_type == "ChildProcessError"
        assert await child.call(0) == "alive"


async def test_what_a_tool_prints_and_returns_cannot_break_the_engine() -> None:
    code = (
        "def execute(kind):\n    print('{\"result\": 1}')\n    return {1, 2} if kind else execute"
    )
    async with child_of(code) as child:
        assert await child.call(True) == "{1, 2}"
        assert await child.call(False) is None


@pytest.mark.parametrize(
    ("code", "error_type"),
    [
        ("def execute(:", "SyntaxError"),
        ("x = 1", "AttributeError"),
        ("raise SystemExit", "SystemExit"),
    ],
)
async def test_code_that_does_not_load_says_why(code: str, error_type: str) -> None:
    with pytest.raises(ToolFailed) as failed:
        async with child_of(code):
            pass
    assert failed.value.error_type == error_type


class Published:
    """A client that keeps what it is given."""

    def __init__(self) -> None:
        self.executions: list[Execution] = []

    async def publish_execution(self, execution: Execution) -> None:
        self.executions.append(execution)


class Registered:
    """A registry whose content the test sets."""

    def __init__(self, **loaded: LoadedTool[Child]) -> None:
        self.loaded = loaded

    def get(self, tool_name: str) -> LoadedTool[Child] | None:
        return self.loaded.get(tool_name)


def engine_of(client: Published, registry: Registered) -> Engine:
    return Engine(cast(EngineClient, client), cast("ToolRegistry[Child]", registry), FILES)


async def test_every_run_is_published_with_its_version() -> None:
    published, registry = Published(), Registered()
    engine = engine_of(published, registry)
    assert await engine.run_once("dependencies") is None
    for number in (1, 2):
        current = version("dependencies", TOOLS["dependencies"].code(number), number)
        async with child_of(current.code) as child:
            registry.loaded["dependencies"] = LoadedTool(current, child)
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
    broken = version("complexity", "def execute(:", 4)
    error = ToolFailed("SyntaxError: invalid syntax", "SyntaxError")
    published = Published()
    engine = engine_of(published, Registered(complexity=LoadedTool(broken, None, error)))
    await engine.run_once("complexity")
    (execution,) = published.executions
    assert (execution.version_id, execution.success) == (4, False)
    assert (execution.error, execution.error_type) == (str(error), "SyntaxError")


async def test_run_ends_when_it_is_told_to() -> None:
    stop, published = asyncio.Event(), Published()
    code = TOOLS["line_endings"].code(1)
    async with child_of(code) as child:
        loaded = LoadedTool(version("line_endings", code), child)
        engine = engine_of(published, Registered(line_endings=loaded))
        engine.on_run.append(lambda _: stop.set() if len(published.executions) == 3 else None)
        await engine.run(["line_endings", "complexity"], 0, stop)
    assert len(published.executions) == 3
