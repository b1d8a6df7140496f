"""The command line as a subprocess, and the files and processes that a command leaves."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import NamedTuple

import psutil

from tests.support.programs.program import Program


class CommandResult(NamedTuple):
    """The exit code of a command, and what it printed."""

    code: int
    out: str
    err: str


async def rollguard(
    *words: str, env: Mapping[str, str], stdin: bytes = b"", cwd: Path | None = None
) -> CommandResult:
    """Run ``rollguard WORDS`` until it ends, and return the result."""
    with TemporaryFile() as given, TemporaryFile() as out, TemporaryFile() as err:
        given.write(stdin)
        given.seek(0)
        program = await Program.start(
            "rollguard",
            *words,
            stdin=given,
            stdout=out,
            stderr=err,
            env={**os.environ, **env, "COLUMNS": "200"},
            folder=cwd,
        )
        code = await asyncio.wait_for(program.wait(), 45)
        out.seek(0)
        err.seek(0)
        return CommandResult(code, out.read().decode(), err.read().decode())


def left_behind(folder: Path) -> list[str]:
    """Return the files in the folder, and the processes that were started with it."""
    found = [path.name for path in folder.iterdir()]
    for process in psutil.process_iter(["cmdline", "environ"]):
        known = f"{process.info['cmdline']} {process.info['environ']}"
        if str(folder) in known and process.status() != psutil.STATUS_ZOMBIE:
            found.append(str(process.info["cmdline"]))
    return found
