"""Files to which only their user may write, and which are replaced as a whole."""

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

from rollguard_client.files import closed_files
from rollguard_client.files.closed_files import WRITING, require_closed, require_own
from rollguard_client.messages.message import MAX_REQUEST_BYTES

_MAX_BYTES: Final = 2 * MAX_REQUEST_BYTES
OWN: Final = 0o600


def content_of(file: Path) -> bytes:
    """Read a file that belongs to our user and that nobody else may write to.

    Raises OSError, and ValueError that says what is wrong.
    """
    return closed_files.content_of(file, WRITING, _MAX_BYTES, is_own=True)


def holds(file: Path, content: bytes) -> bool:
    """Return whether the file is ours and has this content."""
    with suppress(OSError, ValueError):
        return content_of(file) == content
    return False


def make_folder(folder: Path) -> None:
    """Make the folder for our user alone, unless it exists. Raises ValueError if it is not ours."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    require_own_folder(folder)


def require_own_folder(folder: Path) -> None:
    """Raise ValueError unless it is a folder of our user to which nobody else may write."""
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode):
        raise ValueError("it is no folder")
    require_own(status)
    require_closed(status, WRITING)


def replace(file: Path, content: bytes, mode: int = OWN) -> None:
    """Write the file as a whole: a reader finds the old content or the new one."""
    new = file.with_name(f"{uuid4().hex}.new")
    try:
        write_new(new, content, mode)
        os.replace(new, file)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def write_new(file: Path, content: bytes, mode: int = OWN) -> None:
    """Write a file that does not exist yet. Raises FileExistsError if it does."""
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as opened:
        opened.write(content)
