"""The demo, whole and interrupted."""

import asyncio
import os
import re
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest


async def start_demo(folder: Path) -> asyncio.subprocess.Process:
    """The demo with a folder for its temporary files of its own."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "rollguard", "demo"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "TMPDIR": str(folder), "COLUMNS": "160"},
    )


def left_behind(folder: Path) -> list[str]:
    """Files in the folder, and processes that were started for it."""
    found = [path.name for path in folder.iterdir()]
    for process in psutil.process_iter(["cmdline", "environ"]):
        known = f"{process.info['cmdline']} {process.info['environ']}"
        if str(folder) in known and process.status() != psutil.STATUS_ZOMBIE:
            found.append(str(process.info["cmdline"]))
    return found


@pytest.fixture
def folder() -> Iterator[Path]:
    """Open to others, unlike ``tmp_path``: as root, Postgres runs as another user."""
    with tempfile.TemporaryDirectory(prefix="demo-") as made:
        Path(made).chmod(0o711)
        yield Path(made)


@pytest.mark.timeout(120)
async def test_the_demo_goes_as_it_must(folder: Path) -> None:
    demo = await start_demo(folder)
    said, _ = await asyncio.wait_for(demo.communicate(), 100)
    text = said.decode()
    assert demo.returncode == 0, text
    for told in ("dependencies 2", "1 signature change", "4 wait for statistics"):
        assert told in text
    assert len(re.findall(r"\bas expected\b", text)) == 11
    assert left_behind(folder) == []


@pytest.mark.timeout(90)
@pytest.mark.parametrize(
    "moment", ["creating schema", "starting detector", "deploying", "all run", "four scenarios"]
)
async def test_ctrl_c_leaves_nothing_behind(moment: str, folder: Path) -> None:
    demo = await start_demo(folder)
    assert demo.stdout is not None
    async with asyncio.timeout(60):
        while moment not in (line := (await demo.stdout.readline()).decode()):
            assert line, "the demo ended before"
    demo.send_signal(signal.SIGINT)
    await asyncio.wait_for(demo.communicate(), 20)
    assert demo.returncode == 130
    assert left_behind(folder) == []
