"""The versions that an engine uses, kept on disk for a start while Kafka is away.

There is one file for each tool, in a folder that only its user may write to, because the engine
runs what is in it. A file begins with a line that names the topic and the SHA-256 of the rest; the
rest is the value of `tool-versions`. A file that is damaged, or that is not ours, is logged and not
used. Several engines may share the folder: each file is replaced as a whole.
"""

import os
import stat
from collections.abc import Callable, Container, Iterable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final
from uuid import uuid4

import structlog

from schemas.deployment import ToolVersion, is_genuine
from schemas.errors import Rejected
from schemas.message import MAX_REQUEST_BYTES
from schemas.settings import Settings
from streams.topics import Topics

log = structlog.get_logger()

_FORMAT: Final = b"rollguard-kept-version-1"
_SUFFIX: Final = ".version"
_WRITABLE_BY_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH
_NO_LINKS: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_MAX_BYTES: Final = 2 * MAX_REQUEST_BYTES


class KeptVersions:
    """The kept versions of one topic. No method raises: the engine works without them, too.

    The methods use the disk: call them in a thread.
    """

    def __init__(self, settings: Settings) -> None:
        self._topic = Topics.of(settings).versions
        self.folder: Final = settings.data_dir / "registry" / self._topic
        self._is_failing = False

    def load(self) -> list[ToolVersion]:
        """Return the kept versions, of each tool one."""
        try:
            if not self.folder.exists():
                return []
            _require_ours(self.folder.lstat(), stat.S_ISDIR)
            files = sorted(self.folder.glob(f"*{_SUFFIX}"))
        except (OSError, ValueError) as error:
            log.error("kept_versions_refused", folder=str(self.folder), error=_reason(error))
            return []
        return [version for file in files if (version := self._read(file)) is not None]

    def keep(self, version: ToolVersion) -> None:
        """Keep this version of its tool, instead of the one that was kept before."""
        file, content = self._file_of(version.tool_name), self._content_of(version)
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _require_ours(self.folder.lstat(), stat.S_ISDIR)
            if not _holds(file, content):
                _replace(file, content)
        except (OSError, ValueError) as error:
            self._failed(error)
        else:
            self._is_failing = False

    def replace(self, versions: Iterable[ToolVersion]) -> None:
        """Keep each of these versions if a version of its tool is kept."""
        for version in versions:
            if os.path.lexists(self._file_of(version.tool_name)):
                self.keep(version)

    def keep_only(self, tool_names: Iterable[str], chosen: Container[str]) -> None:
        """Remove the kept versions of all other tools that are among the chosen ones.

        Another engine may keep other tools in the folder. A file that holds no version is removed.
        """
        files = {self._file_of(tool_name) for tool_name in tool_names}
        try:
            for file in set(self.folder.glob(f"*{_SUFFIX}")) - files:
                version = self._read(file)
                if version is None or version.tool_name in chosen:
                    file.unlink(missing_ok=True)
        except (OSError, ValueError) as error:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        """Log the first error, until a version can be kept again."""
        if not self._is_failing:
            log.error("versions_not_kept", folder=str(self.folder), error=_reason(error))
        self._is_failing = True

    def _read(self, file: Path) -> ToolVersion | None:
        try:
            version = self._version_in(_content(file))
            if file != self._file_of(version.tool_name):
                raise ValueError(f"it holds the tool {version.tool_name!r}")
        except (OSError, ValueError) as error:
            log.error("kept_version_refused", file=str(file), error=_reason(error))
            return None
        return version

    def _version_in(self, content: bytes) -> ToolVersion:
        """Read a version. Raises ValueError, which Rejected is too."""
        head, _, value = content.partition(b"\n")
        match head.split(b" "):
            case [form, topic, digest] if form == _FORMAT:
                if topic != self._topic.encode():
                    raise ValueError(f"it belongs to the topic {topic.decode(errors='replace')}")
                if digest != _digest(value):
                    raise ValueError("its SHA-256 is not the one that it names")
            case _:
                raise ValueError("it is no kept version")
        version = ToolVersion.from_bytes(value)
        if not is_genuine(version):
            raise Rejected("code_hash is not the SHA-256 of the code")
        return version

    def _content_of(self, version: ToolVersion) -> bytes:
        value = version.to_bytes()
        return b" ".join((_FORMAT, self._topic.encode(), _digest(value))) + b"\n" + value

    def _file_of(self, tool_name: str) -> Path:
        return self.folder / f"{sha256(tool_name.encode()).hexdigest()[:32]}{_SUFFIX}"


def _content(file: Path) -> bytes:
    """Read a file that belongs to our user and that nobody else may write to."""
    with open(os.open(file, os.O_RDONLY | _NO_LINKS), "rb") as opened:
        _require_ours(os.fstat(opened.fileno()), stat.S_ISREG)
        content = opened.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise ValueError(f"it is larger than {_MAX_BYTES} bytes")
    return content


def _holds(file: Path, content: bytes) -> bool:
    with suppress(OSError, ValueError):
        return _content(file) == content
    return False


def _replace(file: Path, content: bytes) -> None:
    """Write the file as a whole: a reader finds the old content or the new one."""
    new = file.with_name(f"{uuid4().hex}.new")
    try:
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
            opened.write(content)
        os.replace(new, file)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def _require_ours(status: os.stat_result, is_kind: Callable[[int], bool]) -> None:
    """Raise ValueError unless it is of this kind, belongs to our user, and is closed to others."""
    if not is_kind(status.st_mode):
        raise ValueError("it is neither a file nor a folder of ours")
    if hasattr(os, "geteuid") and status.st_uid != os.geteuid():
        raise ValueError("it belongs to another user")
    if status.st_mode & _WRITABLE_BY_OTHERS:
        raise ValueError("other users may write to it")


def _digest(value: bytes) -> bytes:
    return sha256(value).hexdigest().encode()


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error)
