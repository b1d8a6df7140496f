"""How rarely tests without servers look for garbage."""

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="module")
def _rare_garbage_collection() -> Iterator[None]:
    """Modules and tests stay: to look through them for garbage takes a seventh of the time.

    Not in other tests: they leave connections in cycles, and a later test here fails for those.
    """
    before = gc.get_threshold()
    gc.set_threshold(100_000, 20, 20)
    yield
    gc.set_threshold(*before)
