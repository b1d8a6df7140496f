"""The versions that an engine keeps on disk: what is read back, and what is not."""

import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from rollguard_client.registry.kept_versions import KeptVersions
from schemas.deployment import ToolVersion
from schemas.settings import load_settings
from tests.support.engines.kept_versions import kept_versions
from tests.support.inputs.messages import version

ONE = version(1, "one = 1")
NOBODY = 65_534


def kept_in(folder: Path, prefix: str = "") -> KeptVersions[ToolVersion]:
    return kept_versions(load_settings(data_dir=folder, topic_prefix=prefix))


def versions_in(kept: KeptVersions[ToolVersion]) -> list[ToolVersion]:
    return [each.version for each in kept.load()]


@pytest.fixture
def kept(tmp_path: Path) -> KeptVersions[ToolVersion]:
    """Return kept versions that hold one."""
    made = kept_in(tmp_path)
    made.keep(ONE)
    return made


def test_a_relative_folder_stays_where_it_is_when_the_engine_changes_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    kept = kept_in(Path("data"))
    monkeypatch.chdir("/")
    kept.keep(ONE)
    assert versions_in(kept_in(tmp_path / "data")) == [ONE]


def file_of(kept: KeptVersions[ToolVersion]) -> Path:
    [file] = kept.folder.iterdir()
    return file


def test_what_was_kept_is_read_back_and_is_closed_to_others(
    kept: KeptVersions[ToolVersion],
) -> None:
    other = version(7, "x = '漢'", "fetcher/../../x")
    kept.keep(other)
    kept.keep(version(2, "two = 2"))
    assert sorted(each.activation for each in versions_in(kept)) == [2, 7]
    assert other in versions_in(kept)
    assert kept.folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in kept.folder.iterdir()} == {0o600}
    kept.keep_only(["parser"], ("parser", "fetcher/../../x"))
    assert [each.activation for each in versions_in(kept)] == [2]


def test_a_downloaded_folder_that_one_stands_in_holds_nothing_for_us(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files are ours, and everything in them fits together. They may be anybody's all the same.

    A version of this program kept its files in `.rollguard`, other programs in other such folders.
    """
    for folder in (".", ".rollguard", "rollguard", ".local/state/rollguard"):
        kept_in(tmp_path / folder).keep(ONE)
    monkeypatch.chdir(tmp_path)
    kept = kept_versions(load_settings())
    assert versions_in(kept) == []
    kept.keep(version(2, "two = 2"))
    assert [each.activation for each in versions_in(kept)] == [2]


def test_nothing_kept(tmp_path: Path) -> None:
    with capture_logs() as logs:
        assert versions_in(kept_in(tmp_path / "none")) == []
    assert logs == []


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def _change(file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b"one = 1", b"one = 2"))


def _change_another_field(file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b'"activation":1', b'"activation":9'))


def _empty(file: Path) -> None:
    file.write_bytes(b"")


def _fill(file: Path) -> None:
    file.write_bytes(os.urandom(10_000))


def _grow(file: Path) -> None:
    with file.open("ab") as opened:
        opened.truncate(20 * 1024 * 1024)


def _move_to_another_tool(file: Path) -> None:
    file.rename(file.with_name("0" * 32 + ".version"))


def _make_a_link(file: Path) -> None:
    file.rename(file.with_name("elsewhere"))
    file.symlink_to(file.with_name("elsewhere"))


def _make_a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def _make_a_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def _let_others_write(file: Path) -> None:
    file.chmod(0o666)


DAMAGES: dict[Callable[[Path], None], str] = {
    _cut: "SHA-256",
    _change: "SHA-256",
    _change_another_field: "SHA-256",
    _empty: "no kept version",
    _fill: "no kept version",
    _grow: "larger than",
    _move_to_another_tool: "holds the tool 'parser'",
    _make_a_link: "symbolic links",
    _make_a_folder: "directory",
    _make_a_pipe: "it is no file",
    _let_others_write: "other users may write",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_said_and_not_read(
    kept: KeptVersions[ToolVersion], damage: Callable[[Path], None]
) -> None:
    kept.keep(version(1, "x = 1", "other"))
    [file] = [each for each in kept.folder.iterdir() if b"one = 1" in each.read_bytes()]
    damage(file)
    with capture_logs() as logs:
        assert [each.tool_name for each in versions_in(kept)] == ["other"]
    [entry] = logs
    assert (entry["event"], entry["log_level"]) == ("kept_version_refused", "error")
    assert DAMAGES[damage].lower() in entry["error"].lower()


def test_every_byte_counts(kept: KeptVersions[ToolVersion]) -> None:
    file = file_of(kept)
    content = file.read_bytes()
    with capture_logs():
        for position in range(len(content)):
            changed = bytearray(content)
            changed[position] ^= 1
            file.write_bytes(changed)
            assert versions_in(kept) == [], position
    file.write_bytes(content)
    assert versions_in(kept) == [ONE]


def test_the_versions_of_another_topic_are_not_ours(
    kept: KeptVersions[ToolVersion], tmp_path: Path
) -> None:
    other = kept_in(tmp_path, "staging-")
    assert versions_in(other) == []
    other.folder.mkdir(mode=0o700)
    file = file_of(kept)
    (other.folder / file.name).write_bytes(file.read_bytes())
    with capture_logs() as logs:
        assert versions_in(other) == []
    assert [entry["error"] for entry in logs] == ["it belongs to the topic tool-versions"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_the_files_of_another_user_are_not_ours(kept: KeptVersions[ToolVersion]) -> None:
    os.chown(file_of(kept), NOBODY, -1)
    with capture_logs() as logs:
        assert versions_in(kept) == []
    assert [entry["error"] for entry in logs] == ["it belongs to another user"]
    os.chown(kept.folder, NOBODY, -1)
    with capture_logs() as logs:
        assert versions_in(kept) == []
        kept.keep(ONE)
    assert [entry["event"] for entry in logs] == ["kept_versions_refused", "versions_not_kept"]


def test_a_folder_that_others_may_write_to_is_not_used(kept: KeptVersions[ToolVersion]) -> None:
    kept.folder.chmod(0o777)
    with capture_logs() as logs:
        assert versions_in(kept) == []
    assert [entry["event"] for entry in logs] == ["kept_versions_refused"]


@contextmanager
def _full_disk() -> Iterator[None]:
    """Let every write fail, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_said_once_and_leaves_the_old_version(
    kept: KeptVersions[ToolVersion],
) -> None:
    newer: list[ToolVersion] = [version(number, f"x = {number}") for number in range(2, 5)]
    with capture_logs() as logs, _full_disk():
        for each in newer:
            kept.keep(each)
    assert [entry["event"] for entry in logs] == ["versions_not_kept"]
    assert versions_in(kept) == [ONE]
    assert len(list(kept.folder.iterdir())) == 1, "no part of a new file is left"
    kept.keep(newer[-1])
    assert versions_in(kept) == [newer[-1]]
    with capture_logs() as logs, _full_disk():
        kept.keep(newer[0])
    assert [entry["event"] for entry in logs] == ["versions_not_kept"], "it failed anew"


def test_a_data_dir_that_is_a_file_or_read_only_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    tmp_path.chmod(0o755)
    for folder in (tmp_path / "file", closed):
        kept = kept_in(folder)
        with capture_logs() as logs, _as_another_user():
            kept.keep(ONE)
            kept.keep(ONE)
            kept.keep_only([], [])
            assert versions_in(kept) == []
        events = [entry["event"] for entry in logs]
        assert events.count("versions_not_kept") == 1
        assert set(events) <= {"versions_not_kept", "kept_versions_refused"}


@contextmanager
def _as_another_user() -> Iterator[None]:
    """Root may write everywhere, so be nobody."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)


def test_two_engines_share_the_folder(kept: KeptVersions[ToolVersion], tmp_path: Path) -> None:
    other = kept_in(tmp_path)
    for number in range(2, 50):
        for each in (kept, other):
            each.keep(version(number, f"x = {number}"))
            assert [found.activation for found in versions_in(other)] == [number]
