"""`ToolProcess` with real processes: time limits, crashes, results, code that does not load."""

import pytest

from examples.engine.tool_process import ToolFailed
from tests.support.tool_process import running_tool


async def test_a_call_that_takes_too_long_is_ended_and_the_next_one_works() -> None:
    code = "def execute(forever):\n    while forever:\n        pass\n    return 'done'"
    async with running_tool(code, limit_s=0.5) as process:
        with pytest.raises(ToolFailed, match=r"^TimeoutError: no result within 0\.5 s$"):
            await process.call(True)
        process._limit_s = 20
        assert await process.call(False) == "done"


async def test_a_tool_that_ends_its_process_fails_and_the_next_call_works() -> None:
    code = "import os\ndef execute(status):\n    if status: os._exit(status)\n    return 'alive'"
    async with running_tool(code) as process:
        with pytest.raises(ToolFailed, match="ended with 3") as died:
            await process.call(3)
        assert died.value.error_type == "ChildProcessError"
        assert await process.call(0) == "alive"


async def test_no_output_or_result_of_a_tool_breaks_the_engine() -> None:
    code = (
        "def execute(kind):\n    print('{\"result\": 1}')\n    return {1, 2} if kind else execute"
    )
    async with running_tool(code) as process:
        assert await process.call(True) == "{1, 2}"
        assert await process.call(False) is None


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
        async with running_tool(code):
            pass
    assert failed.value.error_type == error_type
