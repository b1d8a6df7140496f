"""Fixtures for the client's own tests, which need no server and no Kafka."""

import os

import pytest


@pytest.fixture(autouse=True)
def _no_settings_from_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("ROLLGUARD_") and not name.startswith("ROLLGUARD_TEST_"):
            monkeypatch.delenv(name)
