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
    """Settings come from the test alone; ROLLGUARD_TEST_… say where tests find servers."""
    for name in os.environ:
        if name.startswith("ROLLGUARD_") and not name.startswith("ROLLGUARD_TEST_"):
            monkeypatch.delenv(name)
