"""Rows of one partition on this machine's disk, so that a detector need not read its changelog.

A copy that may be lost: what is in it came from the changelog, up to an offset that is written with
the rows, at once. A worker that died finds all that it had written; after a crash of the machine
the newest may be missing, and is read from the changelog.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Self

from rocksdict import Options, Rdict, WriteBatch

from schemas.errors import Misconfigured

_OFFSET: Final = b"\0offset"
"""No tool's name: those have no NUL."""
_MEMORY_BYTES: Final = 32 * 1024 * 1024
"""For what is not yet in files, of each partition."""


class KeptRows:
    """The rows of one partition; ``offset`` is that of the changelog's last record in them, or
    None.
    """

    def __init__(self, rows: Rdict) -> None:
        self._rows = rows
        found = rows.get(_OFFSET)
        self.offset = None if found is None else int(found)

    @classmethod
    def open(cls, folder: Path, partition: int) -> Self:
        """Raises Misconfigured where another process has them open, or they cannot be read."""
        options = Options(raw_mode=True)
        options.create_if_missing(True)
        options.set_write_buffer_size(_MEMORY_BYTES)
        place = folder / str(partition)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return cls(Rdict(str(place), options))
        except Exception as error:  # what RocksDB has to say comes as a bare Exception
            raise Misconfigured(f"rows kept in {place}: {error} (they may be removed)") from error

    def load(self) -> dict[bytes, bytes]:
        """All of them."""
        rows: dict[Any, Any] = dict(self._rows.items())
        rows.pop(_OFFSET, None)
        return rows

    def write(self, rows: Iterable[tuple[bytes, bytes]], offset: int) -> None:
        """Keep these, of the changelog up to ``offset``."""
        batch = WriteBatch(raw_mode=True)
        for key, row in rows:
            batch.put(key, row)
        batch.put(_OFFSET, b"%d" % offset)
        self._rows.write(batch)
        self.offset = offset

    def close(self) -> None:
        self._rows.close()
