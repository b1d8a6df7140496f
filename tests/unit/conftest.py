"""How rarely tests without servers look for garbage."""

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="module")
def _rare_garbage_collection() -> Iterator[None]:
    """Modules and tests stay: to look through them for garbage takes a seventh of the time.

    Other tests leave connections in cycles, which must be found while their own test expects it.
    """
    before = gc.get_threshold()
    gc.set_threshold(100_000, 20, 20)
    yield
    gc.set_threshold(*before)
