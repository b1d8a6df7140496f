"""Waiting for a condition of another process."""

import asyncio
from collections.abc import Callable
from typing import Any

WAIT_S = 120.0
_SHORTEST_S, _LONGEST_S = 0.02, 0.2
"""The pauses between two looks: each may open a connection, and takes time from the workers."""


async def until(holds: Callable[[], Any], timeout_s: float = WAIT_S) -> None:
    """Return when the condition holds; raise TimeoutError if it does not hold in time."""
    pause_s = _SHORTEST_S
    async with asyncio.timeout(timeout_s):
        while not await holds():
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 1.5, _LONGEST_S)
