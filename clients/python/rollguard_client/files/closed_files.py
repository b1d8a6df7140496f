"""Files that are read only if other users cannot write to them, or cannot use them at all."""

import os
import stat
from pathlib import Path
from typing import Final

WRITING: Final = stat.S_IWGRP | stat.S_IWOTH
ANY_USE: Final = stat.S_IRWXG | stat.S_IRWXO
"""The uses that a mode must not permit other users, as its bits."""

_NO_WAIT: Final = getattr(os, "O_NONBLOCK", 0)
"""Opening a pipe does not wait for who writes to it."""
_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)


def content_of(file: Path, closed_to: int, max_bytes: int, *, is_own: bool = False) -> bytes:
    """Read a file whose mode permits nothing of ``closed_to``: ``WRITING``, or ``ANY_USE``.

    With ``is_own`` it must also belong to our user, and be no link. Raises OSError, and ValueError
    that says what is wrong.
    """
    flags = os.O_RDONLY | _NO_WAIT | (_NO_LINK if is_own else 0)
    with open(os.open(file, flags), "rb") as opened:
        status = os.fstat(opened.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is no file")
        if is_own:
            require_own(status)
        require_closed(status, closed_to)
        content = opened.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise ValueError(f"it is larger than {max_bytes} bytes")
    return content


def require_own(status: os.stat_result) -> None:
    """Raise ValueError unless what has this status belongs to our user."""
    if hasattr(os, "geteuid") and status.st_uid != os.geteuid():
        raise ValueError("it belongs to another user")


def require_closed(status: os.stat_result, closed_to: int) -> None:
    """Raise ValueError if the mode permits other users any of this.

    A file that root hands over to our group may be read by the group: so a container that does not
    run as root gets its secrets from Kubernetes (mode 0440, ``fsGroup``).
    """
    permitted = status.st_mode & closed_to
    if permitted == stat.S_IRGRP and _is_handed_over(status):
        return
    if permitted:
        use = "write to it" if closed_to == WRITING else "use it"
        raise ValueError(f"other users may {use} (mode {stat.S_IMODE(status.st_mode):04o})")


def _is_handed_over(status: os.stat_result) -> bool:
    """Return whether it is a file of root, and we are not root and in the file's group.

    Its owner is not us, so whoever let the group read it could also have made it ours alone. A
    file of our own that the group may read is most often a mistake, and is refused.
    """
    if status.st_uid != 0 or not hasattr(os, "geteuid") or os.geteuid() == 0:
        return False
    return status.st_gid in (os.getegid(), *os.getgroups())


def reason_of(error: Exception) -> str:
    """Return why a file cannot be used."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error)
