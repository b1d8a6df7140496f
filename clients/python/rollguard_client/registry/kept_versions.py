"""The versions that an engine uses, kept on disk for a start while Kafka is away.

There is one file for each tool, in a folder that only its user may write to, because the engine
runs what is in it. A file begins with a line that names the topic and the SHA-256 of the rest, and
has the signature if signatures are wanted. The rest is the value of `tool-versions`. A file that is
damaged, or that is not ours, is logged and not used. Several engines may share the folder: each
file is replaced as a whole.
"""

import os
from base64 import b64decode, b64encode
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, Generic, NamedTuple

from rollguard_client.errors import Rejected
from rollguard_client.event_log import EventLog
from rollguard_client.files.closed_files import reason_of
from rollguard_client.files.own_files import (
    content_of,
    holds,
    make_folder,
    replace,
    require_own_folder,
)
from rollguard_client.registry.versions import V, is_genuine

_FORMAT: Final = b"rollguard-kept-version-1"
_SUFFIX: Final = ".version"


class Proof(NamedTuple):
    """The record that vouches for a version: its header, its Kafka timestamp in ms, its value."""

    header: bytes
    timestamp: int
    value: bytes


@dataclass(frozen=True)
class KeptVersion(Generic[V]):
    """A version that was kept, and its proof; None if it was kept without one."""

    version: V
    proof: Proof | None


class KeptVersions(Generic[V]):
    """The kept versions of one topic. No method raises: the engine works without them, too.

    ``read`` makes a version of a record's value, or raises Rejected. The methods use the disk: call
    them in a thread.
    """

    def __init__(
        self, data_dir: Path, topic: str, read: Callable[[bytes], V], log: EventLog
    ) -> None:
        self._topic = topic
        self._read_version = read
        self._log = log
        self.folder: Final = data_dir.absolute() / "registry" / topic
        self._is_failing = False

    def load(self) -> list[KeptVersion[V]]:
        """Return the kept versions, of each tool one."""
        try:
            if not self.folder.exists():
                return []
            require_own_folder(self.folder)
            files = sorted(self.folder.glob(f"*{_SUFFIX}"))
        except (OSError, ValueError) as error:
            self._log.error(
                "kept_versions_refused", folder=str(self.folder), error=reason_of(error)
            )
            return []
        return [kept for file in files if (kept := self._read(file)) is not None]

    def keep(self, version: V, proof: Proof | None = None) -> None:
        """Keep this version of its tool, instead of the one that was kept before."""
        file, content = self._file_of(version.tool_name), self._content_of(version, proof)
        try:
            make_folder(self.folder)
            if not holds(file, content):
                replace(file, content)
        except (OSError, ValueError) as error:
            self._failed(error)
        else:
            self._is_failing = False

    def replace(self, versions: Iterable[KeptVersion[V]]) -> None:
        """Keep each of these versions if a version of its tool is kept."""
        for kept in versions:
            if os.path.lexists(self._file_of(kept.version.tool_name)):
                self.keep(kept.version, kept.proof)

    def keep_only(self, tool_names: Iterable[str], chosen: Container[str]) -> None:
        """Remove the kept versions of all other tools that are among the chosen ones.

        Another engine may keep other tools in the folder. A file that holds no version is removed.
        """
        files = {self._file_of(tool_name) for tool_name in tool_names}
        try:
            for file in set(self.folder.glob(f"*{_SUFFIX}")) - files:
                kept = self._read(file)
                if kept is None or kept.version.tool_name in chosen:
                    file.unlink(missing_ok=True)
        except (OSError, ValueError) as error:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        """Log the first error, until a version can be kept again."""
        if not self._is_failing:
            self._log.error("versions_not_kept", folder=str(self.folder), error=reason_of(error))
        self._is_failing = True

    def _read(self, file: Path) -> KeptVersion[V] | None:
        try:
            kept = self._version_in(content_of(file))
            if file != self._file_of(kept.version.tool_name):
                raise ValueError(f"it holds the tool {kept.version.tool_name!r}")
        except (OSError, ValueError) as error:
            self._log.error("kept_version_refused", file=str(file), error=reason_of(error))
            return None
        return kept

    def _version_in(self, content: bytes) -> KeptVersion[V]:
        """Read a version. Raises ValueError, which Rejected is too."""
        head, _, value = content.partition(b"\n")
        match head.split(b" "):
            case [form, topic, digest, *proof] if form == _FORMAT:
                if topic != self._topic.encode():
                    raise ValueError(f"it belongs to the topic {topic.decode(errors='replace')}")
                if digest != _digest(value):
                    raise ValueError("its SHA-256 is not the one that it names")
            case _:
                raise ValueError("it is no kept version")
        version = self._read_version(value)
        if not is_genuine(version):
            raise Rejected("code_hash is not the SHA-256 of the code")
        match proof:
            case []:
                return KeptVersion(version, None)
            case [header, timestamp]:
                said = Proof(b64decode(header, validate=True), int(timestamp), value)
                return KeptVersion(version, said)
        raise ValueError("its first line is damaged")

    def _content_of(self, version: V, proof: Proof | None) -> bytes:
        # What was signed is the record as it was, and not as this program would write it.
        value = version.to_bytes() if proof is None else proof.value
        head = [_FORMAT, self._topic.encode(), _digest(value)]
        if proof is not None:
            head += [b64encode(proof.header), str(proof.timestamp).encode()]
        return b" ".join(head) + b"\n" + value

    def _file_of(self, tool_name: str) -> Path:
        return self.folder / f"{sha256(tool_name.encode()).hexdigest()[:32]}{_SUFFIX}"


def _digest(value: bytes) -> bytes:
    return sha256(value).hexdigest().encode()
