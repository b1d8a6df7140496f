"""A copy of the waiting records on disk, which survives a kill of the process.

Each process writes a file of its own, and holds a lock on it as long as it lives. A file begins
with the offset up to which its records are in Kafka; then each line is the value of a record. When
a file is full the next one is begun. A file without a lock belongs to a process that is gone:
whoever finds it sends the rest of it, and removes it. A record may then be sent twice; it has the
same ``execution_id`` both times, and counts once.
"""

import fcntl
import logging
import os
from collections.abc import Collection, Iterator
from itertools import count
from pathlib import Path
from typing import Final
from uuid import uuid4

import msgspec

log = logging.getLogger("rollguard_client")

Place = tuple[int, int]
"""The place of a record: the number of its file, and its offset there."""
_SUFFIX: Final = ".spool"
_HEAD: Final = 21
"""The offset in 20 digits, and a line feed."""
_FILE_BYTES: Final = 8 * 1024**2
_FIRST_ADOPTED: Final = -1_000_000
"""Files of others come before all of our own, which count from 1."""


class _ToolOf(msgspec.Struct):
    tool_name: str


class SpoolFile:
    """One file of the spool, locked."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.size = _HEAD
        self._descriptor = descriptor

    @classmethod
    def made(cls, folder: Path) -> "SpoolFile":
        """Make an empty file. Raises OSError."""
        path = folder / f"{uuid4().hex}{_SUFFIX}"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(path, flags, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        file = cls(path, descriptor)
        os.pwrite(descriptor, b"%020d\n" % _HEAD, 0)
        return file

    @classmethod
    def adopted(cls, path: Path) -> "SpoolFile | None":
        """Return a file that is there; None if another process holds it, or it is not ours."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            found = os.fstat(descriptor)
            is_there = path.exists() and os.path.samestat(found, path.stat())
            if not is_there or found.st_uid != os.geteuid():
                raise OSError("not ours")
        except OSError:
            os.close(descriptor)
            return None
        file = cls(path, descriptor)
        file.size = found.st_size
        return file

    def append(self, value: bytes) -> int:
        """Write a record, and return its offset. Raises OSError."""
        offset, line = self.size, value + b"\n"
        if os.pwrite(self._descriptor, line, offset) != len(line):
            raise OSError("the disk is full")
        self.size += len(line)
        return offset

    def note(self, offset: int) -> None:
        """Note that all records before the offset are in Kafka. Raises OSError."""
        os.pwrite(self._descriptor, b"%020d\n" % offset, 0)

    def records(self) -> Iterator[tuple[bytes, bytes, int]]:
        """Yield key, value and offset of each record that is not in Kafka."""
        content = os.pread(self._descriptor, self.size, 0)
        head = content[:_HEAD].strip()
        offset = int(head) if head.isdigit() else _HEAD
        for line in content[offset:].splitlines(keepends=True):
            if not line.endswith(b"\n"):
                return  # the process was killed while it wrote this one
            try:
                name = msgspec.json.decode(line, type=_ToolOf).tool_name
            except msgspec.DecodeError:
                log.warning("%s has a record that cannot be read, at %d", self.path, offset)
            else:
                yield name.encode(), line[:-1], offset
            offset += len(line)

    def remove(self) -> None:
        """Remove the file and give the lock back."""
        self.path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Give the lock back, and leave the file."""
        os.close(self._descriptor)


class Spool:
    """The files of this process, the oldest first; their numbers count up.

    Not for several threads: call it under the lock of the buffer. `adopt` needs no lock: one thread
    alone calls it, and it changes nothing that another one reads.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()  # the program may change its working directory
        self._files: dict[int, SpoolFile] = {}
        self._newest = 0
        self._left_by_others: list[tuple[int, Path]] | None = None
        self._is_failing = False

    @property
    def _end(self) -> Place:
        newest = self._files.get(self._newest)
        return self._newest, _HEAD if newest is None else newest.size

    def append(self, value: bytes) -> Place | None:
        """Write a record, and return its place; None, and a log line, if that is not possible."""
        try:
            file = self._files.get(self._newest)  # there may be none but those of others
            if file is None or file.size > _FILE_BYTES:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                file = SpoolFile.made(self._folder)
                self._newest += 1
                self._files[self._newest] = file
            place = self._newest, file.append(value)
        except OSError as error:
            self._failed(error)
            return None
        self._is_failing = False
        return place

    def adopt(self) -> list[tuple[bytes, bytes, Place]]:
        """Take over the next file of a process that is gone: key, value and place of each record.

        Files without records are passed over. Returns nothing, once, if none is left of the files
        that were there at the first call.
        """
        if self._left_by_others is None:
            paths = sorted(self._folder.glob(f"*{_SUFFIX}"), reverse=True)
            self._left_by_others = list(zip(count(_FIRST_ADOPTED + len(paths), -1), paths))
        while self._left_by_others:
            number, path = self._left_by_others.pop()
            file = SpoolFile.adopted(path)
            if file is None:
                continue
            try:
                found = [(key, value, (number, at)) for key, value, at in file.records()]
            except OSError as error:  # the others must be sent all the same, and our own
                log.error("%s cannot be read: %s", path, error)
                file.close()
                continue
            self._files[number] = file
            if found:
                return found
        self._left_by_others = None
        return []

    def forget(self, held: Collection[Place], oldest_waiting: Place | None) -> None:
        """Note that all other records are in Kafka, or were dropped.

        ``held`` are records that are being sent; what comes after ``oldest_waiting`` waits, too.
        """
        waiting = oldest_waiting or self._end
        needed = {number for number, _ in held}
        try:
            for number in [each for each in self._files if each < waiting[0]]:
                if number not in needed:
                    self._files.pop(number).remove()
            number, offset = min((*held, waiting))
            if number in self._files:
                self._files[number].note(offset)
        except OSError as error:
            self._failed(error)

    def close(self) -> None:
        """Remove the files if all of their records are in Kafka; otherwise leave them."""
        for file in self._files.values():
            if next(file.records(), None) is None:
                file.remove()
            else:
                file.close()
        self._files.clear()

    def abandon(self) -> None:
        """Close the files after a fork: they belong to the parent, and so does their lock."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    def _failed(self, error: OSError) -> None:
        """Log the first error, until a record can be written again."""
        if not self._is_failing:
            log.error("executions are not kept in %s: %s", self._folder, error)
        self._is_failing = True
