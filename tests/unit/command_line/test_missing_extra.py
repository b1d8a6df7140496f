"""A verb whose packages are missing names the extra that brings them."""

import importlib

import pytest

import rollguard.management
from rollguard.cli.process.missing_extra import missing_extra


@pytest.mark.parametrize(
    ("module", "verb", "extra"),
    [
        ("uvloop", "worker", "worker,postgres"),
        ("asyncpg", "worker", "worker,postgres"),
        ("asyncpg.pool", "current", "postgres"),
        ("aiohttp", "health", "postgres"),
        ("asyncpg", "demo", "embedded"),
        ("opentelemetry.proto", "worker", "bridge"),
        ("google", "worker", "bridge"),
        ("mcp", "mcp", "mcp"),
        ("asyncpg", "mcp", "mcp"),
        ("standardwebhooks", "notify", "worker"),
        ("fastapi", "console", "console"),
        ("aiohttp", "console", "console"),
    ],
)
def test_it_names_the_extra(module: str, verb: str, extra: str) -> None:
    text = missing_extra(ModuleNotFoundError(name=module), [verb, "--json"])
    assert text == f"{verb} needs packages that are not installed: pip install 'rollguard[{extra}]'"


def test_any_other_module_is_a_bug_and_not_told_as_an_extra() -> None:
    assert missing_extra(ModuleNotFoundError(name="schemas.nothing"), ["current"]) is None


def test_version_management_names_its_extra_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'rollguard\[postgres\]'") as error:
        importlib.reload(rollguard.management)
    assert missing_extra(error.value, ["current"]) is not None
