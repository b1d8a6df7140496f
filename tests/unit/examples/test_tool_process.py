"""`ToolProcess` with real processes: time limits, crashes, results, code that does not load."""

from pathlib import Path

import pytest

from rollguard_client import ToolFailed
from tests.support.engines.tool_process import running_tool


async def test_a_call_that_takes_too_long_is_ended_and_the_next_one_works() -> None:
    code = "def execute(forever):\n    while forever:\n        pass\n    return 'done'"
    async with running_tool(code) as process:
        process._limit_s = 0.5
        with pytest.raises(ToolFailed, match=r"^TimeoutError: no result within 0\.5 s$"):
            await process.call(True)
        process._limit_s = 60
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
        assert (await process.call(False)).startswith("<function execute")


async def test_a_byte_order_mark_is_read_as_python_reads_it() -> None:
    async with running_tool("\ufeffdef execute(): return 'done'") as process:
        assert await process.call() == "done"


ODD_RESULTS = {
    "tuples as keys": "return {(1, 2): 'x'}",
    "itself": "x = []; x.append(x); return x",
    "deep": "x = []\n    for _ in range(100_000): x = [x]\n    return x",
    "huge": "return 'x' * 30_000_000",
    "a repr that raises": "return odd_repr(lambda self: 1 / 0)",
    "a repr that leaves": "import sys; return odd_repr(lambda self: sys.exit())",
    "a repr without end": "return odd_repr(endless)",
    "a repr that kills": "import os; return odd_repr(lambda self: os._exit(1))",
    "a dict that lies": "return type('D', (dict,), {'items': lambda self: 1 / 0})(x=1)",
    "not a number": "return float('nan')",
    "half a character": "return '\\ud800'",
    "bytes": "return b'x'",
    "a generator without end": "import itertools; return itertools.count()",
}


@pytest.mark.parametrize("kind", ODD_RESULTS)
async def test_a_result_that_cannot_be_shown_is_a_success(kind: str) -> None:
    helper = (
        "def odd_repr(shown):\n    return type('Odd', (), {'__repr__': shown})()\n"
        "def endless(self):\n    import time\n    while True: time.sleep(1)\n"
    )
    code = f"{helper}def execute(odd):\n    if not odd: return 'plain'\n    {ODD_RESULTS[kind]}"
    async with running_tool(code) as process:
        process._limit_s = 5 if kind == "a repr without end" else 60
        await process.call(True)
        process._limit_s = 60
        assert await process.call(False) == "plain"


FAILS_LATER = {
    "async def execute():\n    raise KeyError('x')": "KeyError",
    "async def execute():\n    return [][0]": "IndexError",
    "def execute():\n    yield 1\n    raise KeyError('x')": "KeyError",
    "async def execute():\n    yield 1\n    raise KeyError('x')": "KeyError",
    "def execute():\n    return map(int, ['x'])": "ValueError",
    "async def a():\n    return [][0]\nasync def execute():\n    return a()": "IndexError",
    "class C(Exception):\n    def __str__(self): return 1 / 0\ndef execute(): raise C": "C",
    "def execute(): raise GeneratorExit": "GeneratorExit",
    "def execute(): raise ValueError('x' * 20_000_000)": "ValueError",
    "def execute(): return input()": "EOFError",
}


@pytest.mark.parametrize("code", FAILS_LATER)
async def test_what_fails_when_its_result_is_used_has_failed(code: str) -> None:
    async with running_tool(code) as process:
        for _ in range(2):
            with pytest.raises(ToolFailed) as failed:
                await process.call()
            assert failed.value.error_type == FAILS_LATER[code]


async def test_coroutines_and_generators_give_what_they_compute() -> None:
    code = (
        "async def coroutine():\n    return 1\n"
        "def generator():\n    yield from (1, 2)\n"
        "async def both():\n    for each in (1, 2): yield each\n"
        "def execute(name):\n    return globals()[name]()\n"
    )
    async with running_tool(code) as process:
        assert await process.call("coroutine") == 1
        assert await process.call("generator") == [1, 2]
        assert await process.call("both") == [1, 2]


async def test_a_tool_finds_its_own_code_and_its_file_is_gone_afterwards() -> None:
    code = (
        "import inspect, os.path\n"
        "def execute():\n"
        "    with open(__file__, encoding='utf-8', newline='') as me:\n"
        "        text = me.read()\n"
        "    return [inspect.getsource(execute), text, os.path.abspath(__file__), __name__]\n"
        "# 数\r\n"
    )
    async with running_tool(code) as process:
        source, text, file, name = await process.call()
    assert source.startswith("def execute():\n    with open")
    assert text == code
    assert name == "tool"
    assert not Path(file).exists()


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
