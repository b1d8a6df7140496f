"""Functions that tests make tools of."""

from typing import Any


def same(value: Any) -> Any:
    """Return the value."""
    return value


async def later(value: Any) -> Any:
    """Return the value."""
    return value
