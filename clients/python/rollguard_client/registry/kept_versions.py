"""The versions in use, kept on disk for a start while Kafka is away.

There is one file for each tool, in a folder that only its user may write to, because the engine
runs what is in it. A file begins with a line that names the topic and the SHA-256 of the rest; the
rest is the value of `tool-versions`. The server's own registry has the same files. One that is
damaged, or that is not ours, is logged and not used.
"""

import logging
import os
import stat
from collections.abc import Callable, Container
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final
from uuid import uuid4

from rollguard_client.messages.deployment import ToolVersion

log = logging.getLogger("rollguard_client")

_FORMAT: Final = b"rollguard-kept-version-1"
_SUFFIX: Final = ".version"
_MAX_BYTES: Final = 8 * 1024**2
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


class KeptVersions:
    """The kept versions of one topic; they use the disk: call them in a thread."""

    def __init__(self, data_dir: Path, topic: str) -> None:
        self._topic = topic
        self.folder: Final = data_dir / "registry" / topic
        self._is_failing = False

    def load(self, chosen: Container[str]) -> list[ToolVersion]:
        """Return the kept versions of these tools."""
        try:
            if not self.folder.exists():
                return []
            _require_own(self.folder.lstat(), stat.S_ISDIR)
            files = sorted(self.folder.glob(f"*{_SUFFIX}"))
        except (OSError, ValueError) as error:
            log.error("kept versions in %s are not used: %s", self.folder, error)
            return []
        found = [self._read(file) for file in files]
        return [each for each in found if each is not None and each.tool_name in chosen]

    def keep(self, version: ToolVersion) -> None:
        """Keep this version of its tool, instead of the one that was kept before."""
        value = version.to_bytes()
        content = b" ".join((_FORMAT, self._topic.encode(), _digest(value))) + b"\n" + value
        try:
            self.write(self._file_of(version.tool_name), content)
        except (OSError, ValueError) as error:
            if not self._is_failing:
                log.error("versions are not kept in %s: %s", self.folder, error)
            self._is_failing = True
        else:
            self._is_failing = False

    def write(self, file: Path, content: bytes) -> None:
        """Replace a file in the folder as a whole. Raises OSError and ValueError."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _require_own(self.folder.lstat(), stat.S_ISDIR)
        with suppress(OSError, ValueError):
            if _content_of(file) == content:
                return
        new = file.with_name(f"{uuid4().hex}.new")
        try:
            with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
                opened.write(content)
            os.replace(new, file)
        except BaseException:
            new.unlink(missing_ok=True)
            raise

    def forget(self, tool_name: str) -> None:
        """Keep no version of this tool any more."""
        with suppress(OSError):
            self._file_of(tool_name).unlink(missing_ok=True)

    def _read(self, file: Path) -> ToolVersion | None:
        try:
            version = self._version_in(_content_of(file))
            if file != self._file_of(version.tool_name):
                raise ValueError(f"it holds the tool {version.tool_name!r}")
        except (OSError, ValueError) as error:
            log.error("the kept version in %s is not used: %s", file, error)
            return None
        return version

    def _version_in(self, content: bytes) -> ToolVersion:
        """Read a version. Raises ValueError, which Rejected is too."""
        head, _, value = content.partition(b"\n")
        form, *rest = head.split(b" ")
        if form != _FORMAT or len(rest) < 2:
            raise ValueError("it is no kept version")
        if rest[0] != self._topic.encode():
            raise ValueError(f"it belongs to the topic {rest[0].decode(errors='replace')}")
        if rest[1] != _digest(value):
            raise ValueError("its SHA-256 is not the one that it names")
        version = ToolVersion.from_bytes(value)
        if not version.is_genuine:
            raise ValueError("code_hash is not the SHA-256 of the code")
        return version

    def _file_of(self, tool_name: str) -> Path:
        return self.folder / f"{sha256(tool_name.encode()).hexdigest()[:32]}{_SUFFIX}"


def _content_of(file: Path) -> bytes:
    """Read a file of ours to which nobody else may write. Raises OSError and ValueError."""
    with open(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW), "rb") as opened:
        _require_own(os.fstat(opened.fileno()), stat.S_ISREG)
        content = opened.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise ValueError(f"it is larger than {_MAX_BYTES} bytes")
    return content


def _require_own(status: os.stat_result, is_kind: Callable[[int], bool]) -> None:
    """Raise ValueError unless it is of this kind, ours, and closed to the writing of others."""
    if not is_kind(status.st_mode):
        raise ValueError("it is of another kind")
    if status.st_uid != os.geteuid():
        raise ValueError("it belongs to another user")
    if status.st_mode & _OTHERS_WRITE:
        mode = stat.S_IMODE(status.st_mode)
        raise ValueError(f"other users may write to it (mode {mode:04o})")


def _digest(value: bytes) -> bytes:
    return sha256(value).hexdigest().encode()
