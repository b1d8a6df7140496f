"""The rows of one partition on disk, so that a detector need not read the whole changelog.

They are a copy of the changelog and may be lost. The offset up to which the changelog was copied
is written in the same step as the rows. A worker that was killed finds everything that it had
written. After a crash of the machine the newest rows may be missing; they are then read from the
changelog.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Self

from rocksdict import Options, Rdict, WriteBatch

from schemas.errors import Misconfigured

_OFFSET: Final = b"\0offset"
"""The key of the offset. No tool has this name, because names do not contain NUL."""
ChangedRow = tuple[bytes, bytes | None]
"""The key of a tool and its encoded row; None if the row was removed."""
_MEMORY_BYTES: Final = 32 * 1024 * 1024
"""Memory for the rows that are not in files yet, for each partition."""


class KeptRows:
    """The rows of one partition.

    ``offset`` is the offset of the last changelog record that is in them; None if there is none.
    """

    def __init__(self, rows: Rdict) -> None:
        self._rows = rows
        found = rows.get(_OFFSET)
        self.offset = None if found is None else int(found)

    @classmethod
    def open(cls, folder: Path, partition: int) -> Self:
        """Open the rows. Raises Misconfigured if they are open elsewhere or cannot be read."""
        options = Options(raw_mode=True)
        options.create_if_missing(True)
        options.set_write_buffer_size(_MEMORY_BYTES)
        path = folder / str(partition)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return cls(Rdict(str(path), options))
        except Exception as error:  # RocksDB raises a bare Exception
            text = f"rows kept in {path}: {error} (this folder may be removed)"
            raise Misconfigured(text) from error

    def load(self) -> dict[bytes, bytes]:
        """Return all rows, by key."""
        rows: dict[Any, Any] = dict(self._rows.items())
        rows.pop(_OFFSET, None)
        return rows

    def write(self, rows: Iterable[ChangedRow], offset: int) -> None:
        """Write rows and, in the same step, the changelog's offset up to which they were read."""
        batch = WriteBatch(raw_mode=True)
        for key, row in rows:
            if row is None:
                batch.delete(key)
            else:
                batch.put(key, row)
        batch.put(_OFFSET, b"%d" % offset)
        self._rows.write(batch)
        self.offset = offset

    def close(self) -> None:
        """Close the files."""
        self._rows.close()
