"""The command line as a subprocess, and the files and processes that a command leaves."""

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import psutil


class CommandResult(NamedTuple):
    """The exit code of a command, and what it printed."""

    code: int
    out: str
    err: str


async def rollguard(
    *words: str, env: Mapping[str, str], stdin: bytes | None = None, cwd: Path | None = None
) -> CommandResult:
    """Run ``rollguard WORDS`` until it ends, and return the result."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "rollguard", *words),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **env, "COLUMNS": "200"},
        cwd=cwd,
    )
    out, err = await asyncio.wait_for(process.communicate(stdin), 45)
    return CommandResult(process.returncode or 0, out.decode(), err.decode())


def left_behind(folder: Path) -> list[str]:
    """Return the files in the folder, and the processes that were started with it."""
    found = [path.name for path in folder.iterdir()]
    for process in psutil.process_iter(["cmdline", "environ"]):
        known = f"{process.info['cmdline']} {process.info['environ']}"
        if str(folder) in known and process.status() != psutil.STATUS_ZOMBIE:
            found.append(str(process.info["cmdline"]))
    return found
