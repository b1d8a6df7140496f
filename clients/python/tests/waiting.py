"""Waiting for another thread."""

import time
from collections.abc import Callable


def wait_until(holds: Callable[[], object]) -> None:
    """Return when the condition holds. The limit is that of the test."""
    while not holds():
        time.sleep(0.01)
