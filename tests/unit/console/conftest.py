"""What the tests of the console share."""

from functools import cache

import pytest

from console.admission import sessions

_key_of = cache(sessions._key_of)


@pytest.fixture(autouse=True)
def _keys_that_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compute the slow key of each token once, and not for the application of each test."""
    monkeypatch.setattr(sessions, "_key_of", _key_of)
