"""The tools of the example engine: what each version does on real files, in real processes."""

import ast
import tokenize
from collections.abc import Callable
from pathlib import Path

import pytest

from examples.engine.catalogue import TOOLS
from examples.engine.files import stdlib_files
from tests.support.cases import cases
from tests.support.engines.tool_process import errors_on, running_tool

FILES = stdlib_files()
NON_ASCII = [path for path in FILES if not path.read_bytes().isascii()]
SOME = FILES[: cases(120)]

GOOD = [
    *(("dependencies", 1), ("todo_comments", 1), ("complexity", 1), ("complexity", 3)),
    *(("docstring_coverage", 1), ("longest_functions", 2), ("line_endings", 1)),
    *(("public_api", 1), ("identifiers", 1)),
]


async def errors_of(tool_name: str, number: int, files: list[Path]) -> dict[Path, str | None]:
    """Return by file the class name of the error in the engine's call, or None."""
    code = TOOLS[tool_name].code(number)
    return dict(zip(files, await errors_on(tool_name, code, files), strict=True))


def without_docstring(path: Path) -> bool:
    with tokenize.open(path) as source:
        return not ast.get_docstring(ast.parse(source.read()))


def test_there_are_many_files_and_always_the_same() -> None:
    assert len(FILES) >= 200
    assert stdlib_files() == FILES
    assert len(NON_ASCII) >= 3


def test_every_version_of_the_catalogue_has_a_file() -> None:
    assert len(TOOLS) >= 6
    for tool in TOOLS.values():
        for number in range(1, len(tool.changes) + 1):
            compile(tool.code(number), tool.name, "exec")
        with pytest.raises(FileNotFoundError):
            tool.code(len(tool.changes) + 1)


@pytest.mark.exhaustive
@pytest.mark.parametrize(("tool_name", "number"), GOOD)
async def test_good_versions_work_on_every_file(tool_name: str, number: int) -> None:
    files = SOME + NON_ASCII
    assert set((await errors_of(tool_name, number, files)).values()) == {None}


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("tool_name", "error_type"), [("dependencies", "TypeError"), ("todo_comments", "ValueError")]
)
async def test_bad_versions_fail_on_every_file(tool_name: str, error_type: str) -> None:
    assert set((await errors_of(tool_name, 2, SOME)).values()) == {error_type}


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("tool_name", "number", "error_type", "fails_on"),
    [
        ("docstring_coverage", 2, "IndexError", without_docstring),
        ("longest_functions", 1, "UnicodeDecodeError", lambda path: path in NON_ASCII),
    ],
)
async def test_some_versions_fail_on_certain_files(
    tool_name: str, number: int, error_type: str, fails_on: Callable[[Path], bool]
) -> None:
    files = SOME + NON_ASCII
    expected = {path: error_type if fails_on(path) else None for path in files}
    assert set(expected.values()) == {error_type, None}
    assert await errors_of(tool_name, number, files) == expected


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("tool_name", "number", "error_type"),
    [("complexity", 2, "KeyError"), ("public_api", 2, "AttributeError")],
)
async def test_some_versions_fail_on_some_files(
    tool_name: str, number: int, error_type: str
) -> None:
    assert set((await errors_of(tool_name, number, SOME)).values()) == {error_type, None}


@pytest.mark.exhaustive
@pytest.mark.parametrize(("tool_name", "worse"), [("longest_functions", 1), ("complexity", 2)])
async def test_the_better_version_works_if_the_one_before_fails(tool_name: str, worse: int) -> None:
    files = SOME + NON_ASCII
    before = await errors_of(tool_name, worse, files)
    failed = [path for path, error_type in before.items() if error_type]
    assert failed
    assert set((await errors_of(tool_name, worse + 1, failed)).values()) == {None}


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
        async with running_tool(tool.code(number)) as process:
            assert await process.call(*call.args, **call.kwargs) == result
    async with running_tool(TOOLS["line_endings"].code(1)) as process:
        result = await process.call(str(path))
    assert (result["encoding"], result["bom"], result["endings"]) == ("utf-8-sig", True, "\r\n")
