"""The rows of one partition on disk."""

from pathlib import Path

import pytest

from schemas.errors import Misconfigured
from streams.driver.kept_rows import KeptRows


def test_rows_on_disk(tmp_path: Path) -> None:
    kept = KeptRows.open(tmp_path, 3)
    assert (kept.offset, kept.load()) == (None, {})
    kept.write([(b"a", b"1"), (b"b", b"2")], 7)
    kept.write([(b"a", b"3"), (b"c", b"4")], 8)
    kept.write([(b"c", None), (b"never", None)], 9)
    with pytest.raises(Misconfigured, match=r"rows kept in .*3"):
        KeptRows.open(tmp_path, 3)
    kept.close()
    again = KeptRows.open(tmp_path, 3)
    assert (again.offset, again.load()) == (9, {b"a": b"3", b"b": b"2"})
    again.close()
