"""Files to which only their user may write, and which are replaced as a whole."""

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

from schemas.message import MAX_REQUEST_BYTES

_WRITABLE_BY_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH
_NO_LINKS: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_MAX_BYTES: Final = 2 * MAX_REQUEST_BYTES


def content_of(file: Path) -> bytes:
    """Read a file that belongs to our user and that nobody else may write to."""
    with open(os.open(file, os.O_RDONLY | _NO_LINKS), "rb") as opened:
        require_ours(os.fstat(opened.fileno()), stat.S_ISREG)
        content = opened.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise ValueError(f"it is larger than {_MAX_BYTES} bytes")
    return content


def holds(file: Path, content: bytes) -> bool:
    """Return whether the file is ours and has this content."""
    with suppress(OSError, ValueError):
        return content_of(file) == content
    return False


def make_folder(folder: Path) -> None:
    """Make the folder for our user alone, unless it exists. Raises ValueError if it is not ours."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    require_ours(folder.lstat(), stat.S_ISDIR)


def replace(file: Path, content: bytes) -> None:
    """Write the file as a whole: a reader finds the old content or the new one."""
    new = file.with_name(f"{uuid4().hex}.new")
    try:
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
            opened.write(content)
        os.replace(new, file)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def require_ours(status: os.stat_result, is_kind: Callable[[int], bool]) -> None:
    """Raise ValueError unless it is of this kind, belongs to our user, and is closed to others."""
    if not is_kind(status.st_mode):
        raise ValueError("it is neither a file nor a folder of ours")
    if hasattr(os, "geteuid") and status.st_uid != os.geteuid():
        raise ValueError("it belongs to another user")
    if status.st_mode & _WRITABLE_BY_OTHERS:
        raise ValueError("other users may write to it")


def reason_of(error: Exception) -> str:
    """Return why a file cannot be used."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error)
