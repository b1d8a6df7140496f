"""The command line as a subprocess, and the files and processes that a command leaves."""

import asyncio
import os
import pty
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Final, NamedTuple

import psutil
from typer.testing import CliRunner

from rollguard.cli.app import app
from schemas.errors import RollguardError
from tests.support.programs.program import Program


class CommandResult(NamedTuple):
    """The exit code of a command, and what it printed."""

    code: int
    out: str
    err: str


_WAITING: Final = re.compile(r"^rollguard: waiting for .*\n", re.MULTILINE)


async def rollguard(
    *words: str,
    env: Mapping[str, str],
    stdin: bytes = b"",
    cwd: Path | None = None,
    stdout: IO[bytes] | None = None,
    closed: Sequence[str] = (),
) -> CommandResult:
    """Run ``rollguard WORDS`` until it ends, and return the result.

    ``err`` has no lines about what a verb waits for: they depend on how fast the machine is. With
    ``stdout`` the output goes there, and ``out`` is empty. The streams in ``closed`` are closed.
    """
    with TemporaryFile() as given, TemporaryFile() as out, TemporaryFile() as err:
        given.write(stdin)
        given.seek(0)
        program = await Program.start(
            "rollguard",
            *words,
            stdin=given,
            stdout=stdout or out,
            stderr=err,
            env={**os.environ, **env, "COLUMNS": "200"},
            folder=cwd,
            closed=closed,
        )
        code = await asyncio.wait_for(program.wait(), 180)
        out.seek(0)
        err.seek(0)
        return CommandResult(code, out.read().decode(), _WAITING.sub("", err.read().decode()))


async def said(*words: str, env: Mapping[str, str]) -> CommandResult:
    """Run ``rollguard WORDS`` in this process, which costs less, and return the result."""
    runner = CliRunner()
    result = await asyncio.to_thread(runner.invoke, app, words, env=env)
    err = result.stderr
    if isinstance(result.exception, RollguardError):
        err += f"rollguard: {result.exception}\n"
    elif result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return CommandResult(result.exit_code, result.stdout, _WAITING.sub("", err))


async def on_terminal(*words: str, env: Mapping[str, str], typed: str = "") -> CommandResult:
    """Run ``rollguard WORDS`` on a terminal where a person types; ``out`` is all that it shows."""
    ours, theirs = pty.openpty()
    program = await Program.start(
        *("rollguard", *words),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**env, "TERM": "xterm-256color"},
    )
    os.close(theirs)
    os.write(ours, typed.encode())
    printed = await asyncio.to_thread(_all_shown, ours)
    os.close(ours)
    code = await asyncio.wait_for(program.wait(), 120)
    return CommandResult(code, printed.decode().replace("\r\n", "\n"), "")


def _all_shown(terminal: int) -> bytes:
    shown = b""
    with suppress(OSError):  # the other side was closed
        while part := os.read(terminal, 65_536):
            shown += part
    return shown


def left_behind(folder: Path) -> list[str]:
    """Return the files in the folder, and the processes that were started with it."""
    found = [path.name for path in folder.iterdir()]
    for process in psutil.process_iter(["cmdline", "environ"]):
        known = f"{process.info['cmdline']} {process.info['environ']}"
        with suppress(psutil.NoSuchProcess):  # it has just ended
            if str(folder) in known and process.status() != psutil.STATUS_ZOMBIE:
                found.append(str(process.info["cmdline"]))
    return found
