"""Settings: groups of rules, where values come from, names that are none."""

from pathlib import Path
from typing import Any

import pytest

from schemas.configuration.setting_sources import given_settings
from schemas.configuration.settings_report import settings_in_force
from schemas.errors import Misconfigured
from schemas.rules.outages import OutageRules
from schemas.rules.rules import Rules
from schemas.settings import SETTING_NAMES, load_settings
from tests.support.inputs.messages import execution


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_rules_and_outages_are_parts_with_flat_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLGUARD_RING_SIZE", "20")
    monkeypatch.setenv("ROLLGUARD_OUTAGE_TOOLS", "5")
    settings = load_settings(policy="guarded", doubt_s=7)
    assert settings.rules == Rules(policy="guarded", ring_size=20)
    assert settings.outages == OutageRules(outage_tools=5, doubt_s=7)


def test_a_group_may_be_given_as_a_whole() -> None:
    settings = load_settings(rules=Rules(ring_size=20), alpha=0.02)
    assert settings.rules == Rules(ring_size=20, alpha=0.02)


def test_rules_of_a_tool_are_the_common_ones_with_its_own_on_top() -> None:
    settings = load_settings(ring_size=20, tools={"parser": {"alpha": 0.02}})
    assert settings.rules_of("parser") == Rules(ring_size=20, alpha=0.02)
    assert settings.rules_of("other") is settings.rules


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"ring_size": 0}, r"^settings: ring_size: Input should be greater"),
        ({"outage_tools": 1}, r"^settings: outage_tools: Input should be greater"),
        ({"ring_size": 4}, r"complete_failure_recent \(5\) .* ring_size \(4\)"),
        ({"tools": {"a": {"ring_sice": 4}}}, r"tools.a: ring_sice"),
        ({"caller_errors": "a b"}, "caller_errors: Value error, 'a b' is not the name of a class"),
        ({"signature_errors": "Type Error"}, "'Type Error' is not the name of a class"),
        (
            {"caller_errors": "KeyError,a.B", "environment_errors": "OSError,a.B"},
            r"\['a.B'\] cannot be in caller_errors and environment_errors",
        ),
        (
            {"signature_errors": "3", "signature_failures": "4"},
            r"signature_errors \(3\) is a number, and signature_failures is given, too",
        ),
        ({"tools": {"a": {"environment_errors": ["x-y"]}}}, "tools.a: environment_errors"),
        ({"partitoins": 4}, "partitoins is not a setting; did you mean partitions"),
    ],
)
def test_wrong_values_are_named_by_the_setting(values: dict[str, Any], text: str) -> None:
    with pytest.raises(Misconfigured, match=text):
        load_settings(**values)


@pytest.mark.parametrize(
    ("variable", "likely"),
    [
        ("ROLLGUARD_POLCY", "ROLLGUARD_POLICY"),
        ("ROLLGUARD_RING_SICE", "ROLLGUARD_RING_SIZE"),
        ("rollguard_outage_tool", "ROLLGUARD_OUTAGE_TOOLS"),
        ("ROLLGUARD_RULES", "ROLLGUARD_"),
    ],
)
def test_an_unknown_variable_names_the_nearest(
    monkeypatch: pytest.MonkeyPatch, variable: str, likely: str
) -> None:
    monkeypatch.setenv(variable, "hunter2")
    with pytest.raises(Misconfigured, match=f"{variable} is not a setting.*{likely}") as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)


def test_variables_of_the_tests_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLGUARD_TEST_ANYTHING", "1")
    load_settings()


@pytest.fixture
def named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Name a file of settings in the environment."""
    monkeypatch.setenv("ROLLGUARD_ENV_FILE", "named.env")
    return folder / "named.env"


def test_the_environment_wins_over_the_named_file(
    named: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named.write_text("OTHER=x\nROLLGUARD_RING_SIZE=12\nROLLGUARD_PARTITIONS=3\nROLLGUARD_WAIT_S\n")
    monkeypatch.setenv("ROLLGUARD_RING_SIZE", "13")
    settings = load_settings()
    assert (settings.rules.ring_size, settings.partitions) == (13, 3)
    given = given_settings(SETTING_NAMES)
    assert {name: each.source for name, each in given.items()} == {
        "ring_size": "environment",
        "partitions": "file named.env",
    }


def test_a_file_that_nobody_named_is_not_read(folder: Path, named: Path) -> None:
    """Whoever can put a file where a person stands decides nothing, whatever its name is."""
    named.write_text("ROLLGUARD_RING_SIZE=12\n")
    for name in (".env", ".env.local", "rollguard.env", "production.env"):
        (folder / name).write_text(
            "ROLLGUARD_DETECTOR_URL=http://attacker.example\n"
            "ROLLGUARD_KAFKA_SASL_MECHANISM=PLAIN\nROLLGUARD_POLCY=guarded\n"
        )
    assert load_settings() == load_settings(ring_size=12)
    assert set(given_settings(SETTING_NAMES)) == {"ring_size"}


def test_a_byte_order_mark_in_a_file_of_settings_is_skipped(named: Path) -> None:
    named.write_text("ROLLGUARD_RING_SIZE=11\n", "utf-8-sig")
    assert load_settings().rules.ring_size == 11


def test_an_unknown_variable_in_a_file_names_the_file(named: Path) -> None:
    named.write_text("ROLLGUARD_POLCY=guarded\n")
    with pytest.raises(Misconfigured, match=r"POLCY in file named\.env is not .*_POLICY\?"):
        load_settings()


def test_a_file_cannot_name_another_one(named: Path) -> None:
    named.write_text("ROLLGUARD_ENV_FILE=other.env\n")
    with pytest.raises(Misconfigured, match=r"ROLLGUARD_ENV_FILE in file named\.env has no effect"):
        load_settings()


def test_a_named_file_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLGUARD_ENV_FILE", "nowhere.env")
    with pytest.raises(Misconfigured, match=r"ROLLGUARD_ENV_FILE nowhere\.env: no such file"):
        load_settings()


def test_a_file_that_is_no_text_is_named(named: Path) -> None:
    named.write_bytes(b"\xff\xfe")
    with pytest.raises(Misconfigured, match=r"file named\.env"):
        load_settings()


def test_tools_that_are_no_json_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLGUARD_TOOLS", "{parser: 1}")
    with pytest.raises(Misconfigured, match="tools is not JSON"):
        load_settings()


@pytest.mark.parametrize("text", ["", " ", "\t"])
def test_an_empty_variable_is_not_set(
    text: str, monkeypatch: pytest.MonkeyPatch, named: Path
) -> None:
    named.write_text("ROLLGUARD_RING_SIZE=12\nROLLGUARD_WAIT_S=\n")
    with monkeypatch.context() as empty:
        for name in SETTING_NAMES:
            empty.setenv(f"ROLLGUARD_{name.upper()}", text)
        settings = load_settings()
        empty.setenv("ROLLGUARD_ENV_FILE", "")
        assert load_settings().rules == Rules()
    assert settings.rules.ring_size == 12, "the file gives it"
    monkeypatch.delenv("ROLLGUARD_ENV_FILE")
    assert settings.model_copy(update={"rules": load_settings().rules}) == load_settings()


@pytest.mark.parametrize(
    "brokers",
    ["PLAINTEXT://kafka:9092", "kafka:9092, SASL_SSL://me:secret@kafka:9093", ("ssl://k:1",)],
)
def test_a_broker_with_a_scheme_is_refused(brokers: str | tuple[str, ...]) -> None:
    with pytest.raises(Misconfigured, match=r"leave out '\w+://' and give host:port") as error:
        load_settings(kafka_brokers=brokers)
    assert "kafka_brokers" in str(error.value).lower()
    assert "secret" not in str(error.value)


def test_lists_of_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLGUARD_SIGNATURE_ERRORS", "TypeError, app.errors.Gone")
    monkeypatch.setenv("ROLLGUARD_TOOLS", '{"a": {"environment_errors": ["OSError"]}}')
    settings = load_settings(caller_errors="ValueError,")
    rules = settings.rules_of("a")
    assert rules.signature_errors == ("TypeError", "app.errors.Gone")
    assert (rules.signature_failures, rules.caller_errors) == (2, ("ValueError",))
    assert (rules.environment_errors, settings.rules.environment_errors) == (("OSError",), ())


def test_a_number_of_signature_errors_is_that_of_signature_failures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ROLLGUARD_SIGNATURE_ERRORS", "3")
    settings = load_settings(
        tools={
            "number": {"signature_errors": 4},
            "classes": {"signature_errors": ["OSError"]},
            "both": {"signature_failures": 5},
        }
    )
    assert settings.rules == Rules(signature_failures=3)
    assert settings.rules_of("number") == Rules(signature_failures=4)
    assert settings.rules_of("classes") == Rules(
        signature_failures=3, signature_errors=("OSError",)
    )
    assert settings.rules_of("both") == Rules(signature_failures=5)
    shown = {each.name: each for each in settings_in_force(settings, given_settings(SETTING_NAMES))}
    assert shown["signature_failures"].source == "environment"
    assert shown["signature_errors"].source == "default"


def test_rules_whose_classes_were_asked_may_be_given_as_a_group() -> None:
    rules = Rules(caller_errors=("OSError",))
    assert rules.failure_classes.origin_of(execution("t", "OSError: x")) == "caller"
    assert load_settings(rules=rules).rules == rules == Rules(caller_errors=("OSError",))
