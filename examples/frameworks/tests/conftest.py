"""A guard whose executions stay in the test."""

import pytest
from rollguard_client.publishing.publisher import Publisher

from tests.told import Told


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    told = Told()
    monkeypatch.setattr(Publisher, "put", lambda _self, waiting: told.put.append(waiting))
    monkeypatch.setattr(Publisher, "start", lambda _self: None)
    return told
