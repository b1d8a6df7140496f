"""Ctrl-C at any moment of `demo` and `up`: nothing is left, and no traceback is printed."""

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

import pytest

from tests.support.systems.command_line import left_behind

MOMENTS: dict[str, tuple[float | str, ...]] = {
    "demo": (0.1, 0.4, 0.9, 1.6, 2.6, "all run"),
    "up": (0.2, 1.2, 2.0, 3.5),
}
"""Seconds, from the imports on, or what is printed last before it. What a moment in seconds meets
depends on the machine, and must not matter."""


@pytest.mark.timeout(450)
@pytest.mark.parametrize("verb", MOMENTS)
async def test_ctrl_c_leaves_nothing_and_prints_no_traceback(verb: str, folder: Path) -> None:
    for moment in MOMENTS[verb]:
        program = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "rollguard", verb),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "TMPDIR": str(folder)},
            start_new_session=True,
        )
        await _until(moment, program)
        program.send_signal(signal.SIGINT)
        output, _ = await asyncio.wait_for(program.communicate(), 120)
        text = output.decode()
        if "Traceback" in text:  # Python may print one of its own before it has started us
            assert not re.search(r"/rollguard/(?!__init__|__main__|ctrl_c)", text), (moment, text)
        else:
            assert "exception was never retrieved" not in text
            codes = (130,) if isinstance(moment, str) else (0, 130, -signal.SIGINT)
            assert program.returncode in codes, (moment, text)
        assert left_behind(folder) == [], moment


async def _until(moment: float | str, program: asyncio.subprocess.Process) -> None:
    if not isinstance(moment, str):
        await asyncio.sleep(moment)
        return
    assert program.stdout is not None
    async with asyncio.timeout(240):
        while moment not in (line := (await program.stdout.readline()).decode()):
            assert line, "it ended before"


async def test_a_second_ctrl_c_leaves_nothing_either(folder: Path) -> None:
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "rollguard", "demo"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "TMPDIR": str(folder)},
    )
    await _until("starting detector", program)
    for _ in range(3):
        program.send_signal(signal.SIGINT)
        await asyncio.sleep(0.1)
    output, _ = await asyncio.wait_for(program.communicate(), 120)
    assert b"Traceback" not in output
    assert left_behind(folder) == []
