"""A wrong setting is an error at construction that names it, and no secret is ever shown."""

from pathlib import Path

import pytest

from rollguard_client.errors import Misconfigured
from rollguard_client.settings.settings import load_settings


def test_arguments_win_over_the_environment_and_that_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "settings"
    file.write_text("ROLLGUARD_WAIT_S=1\nROLLGUARD_TOPIC_PREFIX=f-\nROLLGUARD_CLIENT_FLUSH_S=3\n")
    monkeypatch.setenv("ROLLGUARD_ENV_FILE", str(file))
    monkeypatch.setenv("ROLLGUARD_TOPIC_PREFIX", "e-")
    monkeypatch.setenv("ROLLGUARD_CLIENT_FLUSH_S", "4")
    settings = load_settings(flush_s=5)
    assert (settings.wait_s, settings.topic_prefix, settings.flush_s) == (1.0, "e-", 5.0)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"kafka_broker": "a:1"}, "kafka_broker is not a setting"),
        ({"buffer_records": 0}, "buffer_records: Expected `int` >= 1"),
        ({"buffer_records": "many"}, "buffer_records: "),
        ({"kafka_security": "tls"}, "kafka_security: must be one of plaintext, ssl, "),
        ({"spool_dir": ""}, "spool_dir: must be the path"),
        ({"spool_dir": "a\0b"}, "spool_dir: must be the path"),
        ({"data_dir": None}, "data_dir: must be the path"),
        ({"kafka_brokers": 7}, "kafka_brokers: names no broker"),
        ({"kafka_brokers": "a:65536"}, "kafka_brokers: 'a:65536' is not host:port"),
        ({"kafka_brokers": "a:0"}, "kafka_brokers: 'a:0' is not host:port"),
        ({"kafka_brokers": "a..b:1"}, "kafka_brokers: 'a..b:1' is not host:port"),
        ({"kafka_brokers": "a b:1"}, "kafka_brokers: 'a b:1' is not host:port"),
        ({"wait_s": float("inf")}, "wait_s: Expected `float` <= 2000000.0"),
        ({"wait_s": 0, "flush_s": -1}, "wait_s: Expected `float` > 0.0; flush_s: Expected"),
    ],
)
def test_every_wrong_setting_is_named(values: dict[str, object], said: str) -> None:
    with pytest.raises(Misconfigured) as raised:
        load_settings(**values)
    assert said in str(raised.value)


@pytest.mark.parametrize("variable", ["ROLLGUARD_KAFKA_BROKER", "ROLLGUARD_CLIENT_SPOOLDIR"])
def test_a_variable_with_a_slip_is_named(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "x")
    with pytest.raises(Misconfigured, match=f"{variable} is not a setting; did you mean ROLLGUARD"):
        load_settings()


def test_variables_of_the_server_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("POSTGRES_DSN", "POLICY", "PARTITIONS", "WEB_TOKEN", "OF_NEXT_YEAR"):
        monkeypatch.setenv(f"ROLLGUARD_{name}", "x")
    load_settings()


@pytest.mark.parametrize("entry", ["'open", '"open', '"a"b', "${HOME}"])
def test_an_entry_of_the_file_that_cannot_be_told_is_named(
    entry: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "settings"
    file.write_text(f"OTHER={entry}\nROLLGUARD_TOPIC_PREFIX={entry}\n")
    monkeypatch.setenv("ROLLGUARD_ENV_FILE", str(file))
    with pytest.raises(Misconfigured, match="line 2: ROLLGUARD_TOPIC_PREFIX must be on one line"):
        load_settings()


def test_a_file_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLGUARD_ENV_FILE", "/nowhere/settings")
    with pytest.raises(Misconfigured, match="/nowhere/settings: No such file"):
        load_settings()


def test_secrets_are_not_shown() -> None:
    settings = load_settings(
        kafka_security="sasl_ssl", kafka_username="ann", kafka_password="s3cret"
    )
    assert "s3cret" not in repr(settings)
    assert "ann" in repr(settings)
    with pytest.raises(Misconfigured) as raised:
        load_settings(kafka_brokers="ann:s3cret@host:1", kafka_password=7)
    assert "s3cret" not in str(raised.value)
