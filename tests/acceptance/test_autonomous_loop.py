"""The autonomous loop, run to its end on a stack of its own."""

import asyncio
import os
import sys
from collections import Counter
from pathlib import Path

import pytest

from examples.autonomous_loop.manifest import load_candidates
from tests.support.systems.command_line import left_behind
from tests.support.systems.idle_stack import IDLE_STACK


@pytest.mark.timeout(540)
async def test_the_loop_ends_by_itself_and_all_went_as_expected(folder: Path) -> None:
    loop = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "examples.autonomous_loop", "--embedded"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **IDLE_STACK, "TMPDIR": str(folder), "COLUMNS": "160"},
    )
    output, _ = await asyncio.wait_for(loop.communicate(), 520)
    text = output.decode()
    assert loop.returncode == 0, text
    candidates = load_candidates()
    verdicts = Counter(each.expected.verdict for each in candidates)
    breaking = sum(each.expected.breaking for each in candidates)
    for expected in (
        f"{len(candidates)} improvements tried: {verdicts['kept']} kept, "
        f"{verdicts['rolled_back']} rolled back\n",
        f"breaking changes were found in {breaking} at deployment; 1 of them kept",
        "KeyError: '__all__'",
        "SyntaxError: '{' was never closed",
        "all went as they must",
    ):
        assert expected in text, text
    for each in candidates:
        assert f"{each.tool_name}: {each.name} is {each.expected.verdict.replace('_', ' ')}" in text
    assert left_behind(folder) == []
