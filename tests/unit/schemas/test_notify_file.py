"""The file of the receivers, and the secrets that it names."""

from pathlib import Path

import pytest

from agents.notifier.receivers import receivers_of
from schemas.errors import Misconfigured
from schemas.notify_file import NotifyFile
from schemas.settings import only_these_settings

GOOD = """
[[receivers]]
name = "ops"
kind = "webhook"
url = "https://hooks.example.com/rollguard"
secret = {env = "OPS_SECRET"}
token = {env = "OPS_TOKEN"}

[[receivers.routes]]
tools = ["payments-*"]
statuses = ["applied", "held"]

[[receivers]]
name = "alerts"
kind = "alertmanager"
url = "http://127.0.0.1:9093"

[[receivers]]
name = "chat"
kind = "slack"
url_from = {file = "SLACK"}
"""
SECRET = "whsec_" + "QUJD" * 10
ENVIRONMENT = {"OPS_SECRET": f" {SECRET}\n", "OPS_TOKEN": "abc"}
SLACK = "https://hooks.slack.example/services/T0/B0/very-secret"


def _written(folder: Path, text: str, slack: str = SLACK) -> Path:
    secret = folder / "slack"
    secret.write_text(slack + "\n")
    secret.chmod(0o640)
    file = folder / "notify.toml"
    file.write_text(text.replace("SLACK", str(secret)))
    return file


def test_a_good_file_gives_the_receivers_with_their_secrets(tmp_path: Path) -> None:
    settings = only_these_settings(notify=_written(tmp_path, GOOD))
    ops, alerts, chat = receivers_of(settings, ENVIRONMENT)
    assert (ops.name, ops.kind, ops.secret, ops.token) == ("ops", "webhook", SECRET, "abc")
    assert ops.routes[0].tools == ["payments-*"]
    assert (alerts.url, alerts.routes) == ("http://127.0.0.1:9093", [])
    assert chat.url == SLACK
    shown = repr([ops, alerts, chat])
    assert "very-secret" not in shown
    assert SECRET not in shown
    assert chat.hidden(f"no {SLACK}") == "no …"


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('kind = "webhook"', 'kind = "carrier-pigeon"', "receiver 'ops': Input tag"),
        ("token =", "tokn =", "receiver 'ops': tokn: Extra inputs are not permitted"),
        ('"applied"', '"aplied"', "receiver 'ops': routes.0.statuses.0: Input should be"),
        ('name = "chat"', 'name = "ops"', "the name 'ops' is used twice"),
        ('name = "chat"', 'name = "a b"', "receiver 'a b': name: String should match pattern"),
        ("https://hooks.ex", "http://hooks.ex", "receiver 'ops': Value error, url is not encr"),
        ("https://hooks.ex", "https://u:p@hooks.ex", "must not contain a user or a password"),
        ("https://hooks.ex", "ftp://hooks.ex", "url must begin with https://"),
        ("127.0.0.1:9093", "10.0.0.1:9093", "receiver 'alerts': Value error, url is not encr"),
        ("127.0.0.1:9093", "2130706433:9093", "receiver 'alerts': Value error, url is not encr"),
        ('url_from = {file = "SLACK"}', f'url = "{SLACK}"', "receiver 'chat': url_from: Field"),
        ('{env = "OPS_SECRET"}', '"whsec_abc"', "receiver 'ops': secret: Input should be"),
        ('{env = "OPS_TOKEN"}', '{env = "A", file = "b"}', "give either file or env"),
        ('"OPS_TOKEN"', '"ROLLGUARD_X"', "must not begin with ROLLGUARD_"),
        ("[[receivers.routes]]", "[[receivers.routes", "not TOML"),
    ],
)
def test_what_is_wrong_is_named(old: str, new: str, fault: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        NotifyFile.from_bytes(GOOD.replace(old, new, 1).encode())
    assert fault in str(caught.value)
    assert "very-secret" not in str(caught.value)


def test_a_file_without_receivers_is_wrong() -> None:
    with pytest.raises(Misconfigured, match="receivers"):
        NotifyFile.from_bytes(b"")
    with pytest.raises(Misconfigured, match="not UTF-8"):
        NotifyFile.from_bytes(b"\xff")


@pytest.mark.parametrize(
    ("environment", "slack", "fault"),
    [
        ({}, SLACK, "receiver 'ops': token: the variable OPS_TOKEN is not set"),
        ({**ENVIRONMENT, "OPS_SECRET": "short"}, SLACK, "receiver 'ops': secret: must be whsec_"),
        ({**ENVIRONMENT, "OPS_SECRET": "whsec_QUJD"}, SLACK, "receiver 'ops': secret: must be"),
        ({**ENVIRONMENT, "OPS_TOKEN": "a b"}, SLACK, "receiver 'ops': token: must be printable"),
        (ENVIRONMENT, "", "receiver 'chat': url_from: file"),
        (ENVIRONMENT, "http://hooks.example/very-secret", "url_from: the address is not encrypt"),
    ],
)
def test_secrets_that_are_missing_or_wrong_are_named_and_not_shown(
    environment: dict[str, str], slack: str, fault: str, tmp_path: Path
) -> None:
    settings = only_these_settings(notify=_written(tmp_path, GOOD, slack))
    with pytest.raises(Misconfigured) as caught:
        receivers_of(settings, environment)
    assert fault in str(caught.value)
    assert "very-secret" not in str(caught.value)
    assert "short" not in str(caught.value)


def test_a_secret_that_everybody_can_read_is_refused(tmp_path: Path) -> None:
    settings = only_these_settings(notify=_written(tmp_path, GOOD))
    (tmp_path / "slack").chmod(0o644)
    with pytest.raises(Misconfigured, match=r"receiver 'chat': url_from: file .*mode 0644"):
        receivers_of(settings, ENVIRONMENT)


def test_the_file_itself_must_be_there_and_closed_to_others(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="ROLLGUARD_NOTIFY is not set"):
        receivers_of(only_these_settings())
    with pytest.raises(Misconfigured, match=r"ROLLGUARD_NOTIFY .*No such file"):
        receivers_of(only_these_settings(notify=tmp_path / "none"))
    file = _written(tmp_path, GOOD)
    file.chmod(0o666)
    with pytest.raises(Misconfigured, match="write to it"):
        receivers_of(only_these_settings(notify=file), ENVIRONMENT)


@pytest.mark.parametrize(
    "url",
    [
        *("rollguard.example", "ftp://a", "https://u@a", "https://a/?b", "https://a/#b"),
        *("https://a b", "https://a|b"),
    ],
)
def test_the_address_of_the_console_is_checked(url: str) -> None:
    with pytest.raises(Misconfigured, match="console_url"):
        only_these_settings(console_url=url)


def test_the_address_of_the_console_may_have_a_path() -> None:
    assert only_these_settings(console_url="https://a/b").console_url == "https://a/b"
