"""The comparisons of a group of requests: the new code of each with the code that it replaces.

A comparison may take seconds, so it is made before the tools are locked. Under the locks only those
tools are compared again that were changed meanwhile.
"""

import asyncio
from collections.abc import Hashable, Sequence
from typing import Final, NamedTuple, TypeVar

from agents.comparer.code_comparer import CodeComparer
from policy.breaking.finding import Finding

COMPARE_GROUP_S: Final = 5.0
"""A group is cut if comparing its code takes longer than this, because a worker that commits
nothing for long counts as stuck."""

T = TypeVar("T")


class CodePair(NamedTuple):
    """Code that replaces other code."""

    key: Hashable
    """Identifies the pair, so that it is compared once. The code of a version never changes."""
    old: str | None
    """None if there is nothing to replace."""
    new: str


class Comparisons:
    """The findings of one group of requests. Each pair of codes is compared once."""

    def __init__(self, comparer: CodeComparer) -> None:
        self._comparer = comparer
        self._findings: dict[Hashable, list[Finding]] = {}

    async def compare_in_time(self, members: Sequence[tuple[T, CodePair | None]]) -> list[T]:
        """Compare one member after the other, until ``COMPARE_GROUP_S`` have passed.

        Return the members that were compared, in their order; at least the first one is. A member
        without a pair needs no comparison.
        """
        clock = asyncio.get_running_loop().time
        end = clock() + COMPARE_GROUP_S
        compared = []
        for member, pair in members:
            await self.findings(pair)
            compared.append(member)
            if clock() > end:
                break
        return compared

    def is_known(self, key: Hashable) -> bool:
        """Return whether the pair with this key was compared already."""
        return key in self._findings

    async def findings(self, pair: CodePair | None) -> list[Finding]:
        """Return what the new code of the pair breaks; an empty list if there is no pair."""
        if pair is None:
            return []
        if pair.key not in self._findings:
            self._findings[pair.key] = await self._comparer.compare(pair.old, pair.new)
        return self._findings[pair.key]

    def known_findings(self, key: Hashable) -> list[Finding]:
        """Return the findings of a pair; an empty list if it was not compared."""
        return self._findings.get(key, [])
