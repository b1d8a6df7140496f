"""The folder for files that a program may lose is the user's, wherever the program is started."""

import os
from pathlib import Path

import pytest

from documentation.settings import settings_reference
from schemas.files.state_folder import state_folder
from schemas.settings import load_settings


def test_the_folder_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert load_settings().data_dir == tmp_path / "rollguard"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_settings().data_dir == tmp_path / ".local/state/rollguard"


@pytest.mark.parametrize("name", ["XDG_STATE_HOME", "HOME"])
@pytest.mark.parametrize("value", ["", ".", "state", "../state"])
def test_it_is_never_in_the_working_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv(name, value)
    found = state_folder()
    assert found.is_absolute()
    assert tmp_path not in found.parents


def test_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # as for an unknown user
    assert state_folder() == Path("/.local/state/rollguard")


def test_a_folder_that_is_named_stays_as_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLGUARD_DATA_DIR", "data/here")
    assert load_settings().data_dir == Path("data/here")


def test_the_reference_names_no_users_folder() -> None:
    assert "`~/.local/state/rollguard`" in settings_reference()
    assert str(state_folder()) not in settings_reference()
