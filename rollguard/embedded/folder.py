"""The stack's temporary folder, which is removed however this process ends."""

import asyncio
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

_KEEPER = """
cat >/dev/null
tries=0
until rm -rf -- "$1" 2>/dev/null || [ "$tries" -ge 100 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
"""
"""A shell script. It waits for the end of its stdin, which comes when this process ends, and then
removes the folder ``$1``. It tries for 10 s, because other processes may still write there."""
_MAX_PLACE_BYTES: Final = 107 - len("/rollguard-12345678/postgres/.s.PGSQL.5432.lock")
_PLACES: Final = (Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"))  # noqa: S108


@asynccontextmanager
async def temporary_folder() -> AsyncIterator[Path]:
    """Yield a new folder, which a shell removes at the end of the block or of this process."""
    folder = Path(tempfile.mkdtemp(prefix="rollguard-", dir=_place()))
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


def _place() -> Path:
    """Return where the folder is made: where the system wants it, if Postgres can work there.

    The path of Postgres' socket must be short. If we are root, Postgres runs as another user, who
    must be able to enter.
    """
    wanted = Path(tempfile.gettempdir())
    usable = (place for place in (wanted, *_PLACES) if _is_usable(place))
    return next(usable, wanted)


def _is_usable(place: Path) -> bool:
    if not os.access(place, os.W_OK | os.X_OK) or len(os.fsencode(place)) > _MAX_PLACE_BYTES:
        return False
    return os.getuid() != 0 or all(
        each.stat().st_mode & stat.S_IXOTH for each in (place, *place.parents)
    )


def _start_keeper(folder: Path) -> subprocess.Popen[bytes]:
    """Start the shell that removes the folder once its stdin is closed.

    It is not started by asyncio. If such a start is cancelled, asyncio kills the shell, and waits
    until the pipe to it is closed. But the shell's ``cat`` keeps the pipe open, so a Ctrl-C at that
    moment would hang (python/cpython#119710).
    """
    command = ["/bin/sh", "-c", _KEEPER, "keeper", str(folder)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
