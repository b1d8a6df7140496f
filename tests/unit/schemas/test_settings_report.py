"""Every setting in force, with its source, and no secret in it."""

import pytest

from schemas.configuration.setting_sources import given_settings
from schemas.configuration.settings_report import HIDDEN, SettingInForce, settings_in_force
from schemas.settings import SETTING_NAMES, load_settings


def report() -> dict[str, SettingInForce]:
    found = settings_in_force(load_settings(log_level="error"), given_settings(SETTING_NAMES))
    return {each.name: each for each in found}


def test_each_setting_is_there_once_and_says_what_it_means() -> None:
    found = settings_in_force(load_settings())
    assert sorted(each.name for each in found) == sorted(SETTING_NAMES)
    assert not [each.name for each in found if len(each.meaning) < 20 or not each.type]
    assert {each.source for each in found} == {"default"}
    assert all(each.value == each.default for each in found)


def test_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLGUARD_RING_SIZE", "20")
    found = report()
    ring = found["ring_size"]
    assert (ring.variable, ring.value, ring.default) == ("ROLLGUARD_RING_SIZE", "20", "10")
    assert (ring.source, ring.type, ring.is_rule) == ("environment", "integer, at least 1", True)
    assert found["log_level"].source == "argument"
    assert found["refresh_s"].unit == "seconds"
    assert not found["outage_tools"].is_rule


def test_secrets_are_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLGUARD_POSTGRES_DSN", "postgresql://me:hunter2@db/x")
    monkeypatch.setenv("ROLLGUARD_WEB_TOKEN", "hunter2")
    found = report()
    assert "hunter2" not in str(found)
    assert {name for name, each in found.items() if each.is_secret} == {
        "detector_token",
        "kafka_password",
        "postgres_dsn",
        "proxy_secret",
        "token",
        "web_token",
        "web_viewer_token",
    }
    assert found["postgres_dsn"].value == found["web_token"].value == HIDDEN
    assert found["kafka_password"].value == ""


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("kafka_brokers", "a:1, b:2", "a:1,b:2"),
        ("keep_rows", "yes", "true"),
        ("refresh_s", "2.50", "2.5"),
        ("hold", "regression", "regression"),
        ("high_failure_rate", "0.85", "0.85"),
        ("tools", '{"a": {"ring_size": 20}}', '{"a": {"ring_size": 20}}'),
    ],
)
def test_values_are_written_as_in_the_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, text: str
) -> None:
    monkeypatch.setenv(f"ROLLGUARD_{name.upper()}", value)
    assert report()[name].value == text
