"""The variables that the client shares with the server mean the same to both."""

from pathlib import Path
from typing import Any

import pytest
from dotenv import dotenv_values

import schemas.settings
from rollguard_client.errors import Misconfigured
from rollguard_client.settings import sources
from rollguard_client.settings.settings import VARIABLES, Settings, load_settings
from schemas.errors import Misconfigured as ServerMisconfigured
from schemas.settings import SETTING_NAMES

SHARED = [name for name in VARIABLES.values() if name in SETTING_NAMES]


def plain(value: Any) -> Any:
    return value.get_secret_value() if hasattr(value, "get_secret_value") else value


def test_every_variable_is_one_of_the_server_or_has_the_prefix_of_the_client() -> None:
    own = {variable for variable in VARIABLES if variable.startswith(sources.OWN_PREFIX)}
    assert {VARIABLES[each] for each in VARIABLES.keys() - own} == set(SHARED)
    assert SETTING_NAMES.isdisjoint(VARIABLES[each] for each in own)


def test_the_defaults_are_the_servers() -> None:
    ours, theirs = Settings(), schemas.settings.load_settings()
    for name in SHARED:
        assert getattr(ours, name) == plain(getattr(theirs, name)), name


@pytest.mark.parametrize(
    "given",
    [
        {"KAFKA_BROKERS": "a:1, b:2,[::1]:3"},
        {"KAFKA_BROKERS": " "},
        {"KAFKA_SECURITY": "sasl_ssl", "KAFKA_USERNAME": "u", "KAFKA_PASSWORD": "p"},
        {"KAFKA_SECURITY": "ssl", "KAFKA_CA_FILE": "/ca.pem", "KAFKA_CERT_FILE": "/c.pem"},
        {"TOPIC_PREFIX": "a-b.c_", "WAIT_S": "2.5", "MAX_CODE_BYTES": "10"},
        {"SIGNATURES": "require", "SIGNING_KEY": "/k.pem", "TRUST": "/t.json"},
        {"KAFKA_BROKERS": "kafka://a:1"},
        {"KAFKA_BROKERS": "a"},
        {"KAFKA_BROKERS": ","},
        {"KAFKA_SECURITY": "tls"},
        {"KAFKA_SECURITY": "sasl_ssl"},
        {"KAFKA_USERNAME": "u"},
        {"KAFKA_CA_FILE": "/ca.pem"},
        {"KAFKA_SECURITY": "ssl", "KAFKA_KEY_FILE": "/k.pem"},
        {"KAFKA_SASL_MECHANISM": "plain"},
        {"TOPIC_PREFIX": "a b"},
        {"WAIT_S": "0"},
        {"WAIT_S": "soon"},
        {"MAX_CODE_BYTES": "0"},
        {"SIGNATURES": "maybe"},
        {"KAFKA_BROKER": "a:1"},
        {"URL": "https://a.example:444/b/", "TOKEN": "t"},
        {"URL": "http://[::1]:6069", "WEB_URL": "http://a:1", "WEB_TOKEN": "w"},
        {"URL": "ftp://a"},
        {"URL": "https://a/?b=c"},
        {"URL": "https://u:p@a"},
        {"URL": "https://a:b"},
        {"TOKEN": "a b"},
    ],
)
def test_variables_mean_the_same(given: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Both accept them with the same values, or both refuse them and name the same setting."""
    for name, value in given.items():
        monkeypatch.setenv(f"ROLLGUARD_{name}", value)
    try:
        theirs = schemas.settings.load_settings()
    except ServerMisconfigured:
        with pytest.raises(Misconfigured, match="(?i)" + min(given)):
            load_settings()
        return
    ours = load_settings()
    for name in SHARED:
        assert getattr(ours, name) == plain(getattr(theirs, name)), name


def test_the_server_passes_over_the_variables_of_the_client(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ROLLGUARD_CLIENT_BUFFER_RECORDS", "7")
    monkeypatch.setenv("ROLLGUARD_PARTITIONS", "9")
    assert load_settings().buffer_records == 7
    assert schemas.settings.load_settings().partitions == 9


FILE = """# a comment
ROLLGUARD_TOPIC_PREFIX=plain  # why
export ROLLGUARD_KAFKA_BROKERS="a:1,b:2" # quoted
ROLLGUARD_KAFKA_USERNAME='it''s # kept'
  ROLLGUARD_KAFKA_PASSWORD = "a\\"b\\\\c\\td"
ROLLGUARD_SIGNING_KEY=a#b=c
ROLLGUARD_WAIT_S=
OTHER="${HOME}
ROLLGUARD_KAFKA_SASL_MECHANISM='PLAIN'
ROLLGUARD_KAFKA_SECURITY="sasl_ssl"
"""


def test_a_file_is_read_as_the_server_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "settings"
    file.write_text(FILE.replace("it''s # kept", "its # kept").replace('OTHER="${HOME}\n', ""))
    monkeypatch.setenv("ROLLGUARD_ENV_FILE", str(file))
    given = sources.given_variables(VARIABLES)
    assert given == {name: text for name, text in dotenv_values(file).items() if text}
    theirs, ours = schemas.settings.load_settings(), load_settings()
    for name in SHARED:
        assert getattr(ours, name) == plain(getattr(theirs, name)), name
