"""Fixtures for all tests, and an environment that the shell cannot change."""

import os

import pytest

pytest_plugins = [
    "tests.support.kafka",
    "tests.support.secure_kafka",
    "tests.support.postgres",
    "tests.support.system",
]


@pytest.fixture(autouse=True)
def _no_settings_from_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove settings of the shell; ROLLGUARD_TEST_… stay: they say where servers are."""
    for name in os.environ:
        if name.startswith("ROLLGUARD_") and not name.startswith("ROLLGUARD_TEST_"):
            monkeypatch.delenv(name)
