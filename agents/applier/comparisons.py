"""Comparing the code of a group: before the locks, and what has changed since then under them.

A comparison may take seconds. So it is made while nobody has to wait for the tools; under their
locks its result is known, except for tools that were changed meanwhile.
"""

import asyncio
from collections.abc import Hashable, Sequence
from typing import Final, NamedTuple, TypeVar

from agents.comparer.code_comparer import CodeComparer
from policy.breaking.finding import Finding

COMPARE_GROUP_S: Final = 5.0
"""A group is cut if comparing its code takes longer than this: a worker that commits nothing for
long is taken to be stuck."""

T = TypeVar("T")


class CodePair(NamedTuple):
    """Code that replaces other code."""

    key: Hashable
    """Names the two, so that they are compared once: a version never changes its code."""
    old: str | None
    """None if there is nothing to replace."""
    new: str


class Comparisons:
    """The findings of one group of requests. Each pair of codes is compared once."""

    def __init__(self, comparer: CodeComparer) -> None:
        self._comparer = comparer
        self._findings: dict[Hashable, list[Finding]] = {}

    async def compare_in_time(self, members: Sequence[tuple[T, CodePair | None]]) -> list[T]:
        """Compare one member after the other until ``COMPARE_GROUP_S`` are over.

        Return the members that were reached, in their order, at least the first one. A member
        without a pair has nothing to compare.
        """
        clock = asyncio.get_running_loop().time
        end = clock() + COMPARE_GROUP_S
        reached = []
        for member, pair in members:
            await self.findings(pair)
            reached.append(member)
            if clock() > end:
                break
        return reached

    def is_known(self, key: Hashable) -> bool:
        """Whether the pair with this key was compared already."""
        return key in self._findings

    async def findings(self, pair: CodePair | None) -> list[Finding]:
        """Return what the new code of the pair breaks; nothing without a pair."""
        if pair is None:
            return []
        if pair.key not in self._findings:
            self._findings[pair.key] = await self._comparer.compare(pair.old, pair.new)
        return self._findings[pair.key]

    def known_findings(self, key: Hashable) -> list[Finding]:
        """Return the findings of a pair that was compared; nothing if it was not."""
        return self._findings.get(key, [])
