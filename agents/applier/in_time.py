"""Comparing the code of a group, one member after the other, for a limited time: a worker that
commits nothing for long is taken to be stuck.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

COMPARE_GROUP_S: Final = 5.0
"""A group is cut where comparing its code has taken so long."""

T = TypeVar("T")


async def those_in_time(
    members: Sequence[T], compare: Callable[[T], Awaitable[object]], at_most_s: float
) -> Sequence[T]:
    """Compare; the members up to the one with which the time was over, so at least the first."""
    clock = asyncio.get_running_loop().time
    end = clock() + at_most_s
    for done, member in enumerate(members, 1):
        await compare(member)
        if clock() > end:
            return members[:done]
    return members
