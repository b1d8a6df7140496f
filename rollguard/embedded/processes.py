"""Child processes that end with this process, and whose output goes to a log file."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Final

from rollguard.embedded.environment import variables_of

START_TIMEOUT_S: Final = 30.0
STOP_TIMEOUT_S: Final = 10.0
POLL_S: Final = 0.02
NOTHING: Final[Mapping[str, str]] = MappingProxyType({})

_GUARD = """
import ctypes, os, sys
parent, death_signal, uid, gid = map(int, sys.argv[1:5])
if uid != os.getuid():
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, death_signal)
if os.getppid() != parent:
    sys.exit("the parent is gone")
os.execv(sys.argv[5], sys.argv[5:])
"""
"""A program that becomes the command, as another user if asked for.

Before that it asks the kernel for a signal when its parent dies. It is a program and no
``preexec_fn``, because Python code between fork and exec can deadlock in a process with threads.
"""


def guarded(
    command: Sequence[str], death_signal: int = signal.SIGKILL, user: tuple[int, int] | None = None
) -> list[str]:
    """Return the command so that it gets ``death_signal`` when the thread that starts it ends.

    This process must start it. ``command[0]`` must be a full path. It runs as ``user``,
    a pair (uid, gid), by default our own. Outside Linux there is no such signal; the rest holds
    there too.
    """
    uid, gid = user or (os.getuid(), os.getgid())
    numbers = [str(number) for number in (os.getpid(), int(death_signal), uid, gid)]
    return [sys.executable, "-I", "-S", "-c", _GUARD, *numbers, *command]


@asynccontextmanager
async def running(
    command: Sequence[str],
    log: Path,
    stop_signal: int = signal.SIGTERM,
    *,
    death_signal: int = signal.SIGKILL,
    user: tuple[int, int] | None = None,
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the command, and stop it at the end of the block: by ``stop_signal``, then SIGKILL."""
    process = await spawn(command, log, death_signal=death_signal, user=user)
    try:
        yield process
    finally:
        await stop(process, stop_signal)


async def spawn(
    command: Sequence[str],
    log: Path,
    *,
    env: Mapping[str, str] = NOTHING,
    death_signal: int = signal.SIGKILL,
    user: tuple[int, int] | None = None,
) -> asyncio.subprocess.Process:
    """Start the command in its own session, and append its output to ``log``.

    ``env`` is added to the clean environment (``rollguard.embedded.environment``).
    ``death_signal`` and ``user`` are as in ``guarded``. If this is cancelled, asyncio kills the
    process if it has started already.
    """
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *guarded(command, death_signal, user),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd=log.parent,
            env=variables_of(env),
        )


async def stop(process: asyncio.subprocess.Process, stop_signal: int) -> None:
    """Stop the process by ``stop_signal``.

    If it still runs after 10 s, or if this is cancelled, SIGKILL ends its whole session.
    """
    if process.returncode is not None:
        return
    try:
        process.send_signal(stop_signal)
        await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
    except TimeoutError:
        pass
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


async def answered(process: asyncio.subprocess.Process, ready: Coroutine[None, None, None]) -> bool:
    """Return whether ``ready`` ended before the process did, and without a TimeoutError."""
    waiting, exited = asyncio.create_task(ready), asyncio.create_task(process.wait())
    try:
        await asyncio.wait({waiting, exited}, return_when=asyncio.FIRST_COMPLETED)
        if exited.done() or isinstance(waiting.exception(), TimeoutError):
            return False
        await waiting
        return True
    finally:
        waiting.cancel()
        exited.cancel()
        await asyncio.gather(waiting, exited, return_exceptions=True)


def tail(log: Path, lines: int = 3) -> str:
    """Return the log's last lines as one line, for an error that a person reads."""
    return " | ".join(log.read_text(errors="replace").splitlines()[-lines:]) or "nothing was logged"
