"""Fixtures for the client's own tests, which need no server and no Kafka."""

import os

import pytest
from telling import Told

from rollguard_client.publishing.publisher import Publisher


@pytest.fixture(autouse=True)
def _no_settings_from_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("ROLLGUARD_") and not name.startswith("ROLLGUARD_TEST_"):
            monkeypatch.delenv(name)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    told = Told()
    monkeypatch.setattr(Publisher, "put", lambda _self, waiting: told._put.append(waiting))
    monkeypatch.setattr(Publisher, "start", lambda _self: None)
    return told
