"""``rollguard config``: every setting, where it comes from, and no secret."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rollguard.cli.app import app
from rollguard.cli.show.config import dsn_without_password
from schemas.settings import SETTING_NAMES


@pytest.fixture
def printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """Run the verb with settings from the environment and from a file; return its JSON."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "named.env").write_text("ROLLGUARD_PARTITIONS=8\n")
    monkeypatch.setenv("ROLLGUARD_ENV_FILE", "named.env")
    monkeypatch.setenv("ROLLGUARD_POSTGRES_DSN", "postgresql://me:hush@db:5432/rollguard")
    monkeypatch.setenv("ROLLGUARD_WEB_TOKEN", "hush-too")
    done = CliRunner().invoke(app, ["config", "--json"])
    assert done.exit_code == 0
    assert "hush" not in done.output
    found: list[dict[str, str]] = json.loads(done.output)
    return found


def test_it_shows_every_setting_and_its_source(printed: list[dict[str, str]]) -> None:
    shown = {each["name"]: (each["value"], each["source"]) for each in printed}
    assert shown.keys() == SETTING_NAMES
    assert shown["partitions"] == ("8", "file named.env")
    assert shown["postgres_dsn"] == ("postgresql://me:********@db:5432/rollguard", "environment")
    assert shown["web_token"] == ("********", "environment")
    assert shown["detector_url"][1] == "default"


def test_the_table_names_the_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("ROLLGUARD_WEB_TOKEN", "hush-too")
    done = CliRunner().invoke(app, ["config"])
    assert "ROLLGUARD_KAFKA_BROKERS" in done.output
    assert "hush" not in done.output


@pytest.mark.parametrize(
    ("dsn", "shown"),
    [
        ("postgresql://me@h:1/db", "postgresql://me@h:1/db"),
        ("postgresql://me:a@b@h/db?sslmode=require", "postgresql://me:********@h/db?sslmode=require"),
        ("postgresql://h/db?password=secret&host=/run/pg", "postgresql://h/db?password=********&host=/run/pg"),
        ("postgresql://me:se/cret@h/db", "********"),
        ("postgresql://me:se?cret@h/db", "********"),
        ("postgresql://me:se#cret@h/db", "********"),
        ("host=h password=secret", "********"),
        ("postgresql://rollguard@/db?host=%2Ftmp%2Fx&port=5432", "postgresql://rollguard@/db?host=/tmp/x&port=5432"),
    ],
)  # fmt: skip
def test_a_dsn_is_shown_without_its_password(dsn: str, shown: str) -> None:
    assert dsn_without_password(dsn) == shown
