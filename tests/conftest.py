"""Fixtures for all tests, and an environment that the shell cannot change."""

import os

import pytest

pytest_plugins = [
    "tests.support.kafka",
    "tests.support.secure_kafka",
    "tests.support.postgres",
    "tests.support.system",
    "tests.support.shared",
]


@pytest.fixture(autouse=True)
def _no_settings_from_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove settings of the shell; ROLLGUARD_TEST_… stay: they say where servers are."""
    for name in os.environ:
        if name.startswith("ROLLGUARD_") and not name.startswith("ROLLGUARD_TEST_"):
            monkeypatch.delenv(name)


@pytest.hookimpl(trylast=True)  # after pytest-randomly has shuffled them
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests that may take longest first, so that none of them runs alone at the end."""
    items.sort(key=_timeout_s, reverse=True)


def _timeout_s(test: pytest.Item) -> float:
    mark = test.get_closest_marker("timeout")
    return float(mark.args[0]) if mark else 0.0
