"""Fixtures of the tests of the database."""

import pytest

from db.postgres import locks


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait long for the lock of a tool.

    The applier waits for a second and tries again later. A test does not try again, and on a busy
    machine somebody else may keep the lock for longer.
    """
    monkeypatch.setattr(locks, "TOOL_TIMEOUT_MS", 60_000)
