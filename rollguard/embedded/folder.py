"""The stack's temporary folder, which is removed however this process ends."""

import asyncio
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

_KEEPER = """
cat >/dev/null
tries=0
until rm -rf -- "$1" 2>/dev/null || [ "$tries" -ge 100 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
"""
"""Removes the folder ``$1`` at the end of its stdin, even if children still write to it."""


@asynccontextmanager
async def temporary_folder() -> AsyncIterator[Path]:
    """Yield a new folder, which a shell removes at the end of the block or of this process."""
    folder = Path(tempfile.mkdtemp(prefix="rollguard-"))
    try:
        keeper = _start_keeper(folder)
    except BaseException:
        shutil.rmtree(folder)
        raise
    try:
        yield folder
    finally:
        assert keeper.stdin is not None
        keeper.stdin.close()
        await asyncio.to_thread(keeper.wait)


def _start_keeper(folder: Path) -> subprocess.Popen[bytes]:
    """Start the shell, without asyncio.

    If a start is cancelled, asyncio kills the process, and waits until it has ended and its pipe is
    closed. The shell's ``cat`` keeps that pipe open, so a Ctrl-C at that moment would hang
    (python/cpython#119710).
    """
    command = ["/bin/sh", "-c", _KEEPER, "keeper", str(folder)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
