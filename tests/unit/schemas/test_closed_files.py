"""Files that are read only if other users cannot write to them, or cannot use them at all."""

import os
from pathlib import Path

import pytest

from rollguard_client.files.closed_files import ANY_USE, WRITING, content_of


@pytest.mark.parametrize(
    ("closed_to", "permitted"), [(WRITING, (0o600, 0o644, 0o655)), (ANY_USE, (0o400, 0o600))]
)
def test_every_mode(tmp_path: Path, closed_to: int, permitted: tuple[int, ...]) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x")
    for others in range(0o100):
        file.chmod(0o600 | others)
        if others & closed_to:
            with pytest.raises(ValueError, match=f"mode {0o600 | others:04o}"):
                content_of(file, closed_to, 10)
        else:
            assert content_of(file, closed_to, 10) == b"x"
    for mode in permitted:
        file.chmod(mode)
        assert content_of(file, closed_to, 10) == b"x"


def test_what_is_no_file_or_too_large(tmp_path: Path) -> None:
    pipe, large = tmp_path / "pipe", tmp_path / "large"
    os.mkfifo(pipe, 0o600)
    with pytest.raises(ValueError, match="it is no file"):  # and nobody waits for a writer
        content_of(pipe, WRITING, 10)
    large.write_bytes(b"x" * 11)
    assert content_of(large, WRITING, 11) == b"x" * 11
    with pytest.raises(ValueError, match="larger than 10 bytes"):
        content_of(large, WRITING, 10)


def test_only_an_own_file_must_be_no_link(tmp_path: Path) -> None:
    """Secrets are often mounted as links."""
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_bytes(b"x")
    link.symlink_to(file)
    assert content_of(link, WRITING, 10) == b"x"
    with pytest.raises(OSError, match="symbolic links"):
        content_of(link, WRITING, 10, is_own=True)
