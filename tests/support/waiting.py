"""Waiting for a condition of another process."""

import asyncio
from collections.abc import Callable
from typing import Any

WAIT_S = 30.0


async def until(holds: Callable[[], Any], timeout_s: float = WAIT_S) -> None:
    """Return when the condition holds; raise TimeoutError if it does not hold in time."""
    async with asyncio.timeout(timeout_s):
        while not await holds():
            await asyncio.sleep(0.05)
