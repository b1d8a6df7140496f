"""The comparisons of a group of requests: the new code of each with the code that it replaces.

A comparison may take seconds, so nothing is compared under the locks of tools, and a group does not
wait for a comparison that takes long: its tool is set aside (``agents.applier.apply_changes``), and
the other members go on.
"""

import asyncio
from collections.abc import Hashable, Mapping
from typing import Final, NamedTuple

from agents.comparer.fair_comparer import FairComparer
from policy.breaking.finding import Finding

PATIENCE_S: Final = 1.0
"""A group waits so long for its comparisons. Hundreds of usual ones are made in this time."""


class NotCompared(Exception):
    """The code of some tools is still being compared; with each, what tells that it is done."""

    def __init__(self, tools: Mapping[str, "asyncio.Future[list[Finding]]"]) -> None:
        super().__init__(f"still being compared: {sorted(tools)}")
        self.tools = tools


class CodePair(NamedTuple):
    """Code that replaces other code."""

    key: Hashable
    """Identifies the pair, so that it is compared once. The code of a version never changes."""
    old: str | None
    """None if there is nothing to replace."""
    new: str


class Comparisons:
    """The findings of one group of requests."""

    def __init__(self, comparer: FairComparer) -> None:
        self._comparer = comparer
        self._findings: dict[Hashable, list[Finding]] = {}

    async def compare(self, pairs: Mapping[str, CodePair]) -> None:
        """Compare the pairs of these tools, in any order.

        Raises NotCompared after ``PATIENCE_S``; the comparisons go on.
        """
        running = {tool: self._comparer.begin(pair.old, pair.new) for tool, pair in pairs.items()}
        if running:
            await asyncio.wait(running.values(), timeout=PATIENCE_S)
        self._take(pairs, running)

    def require(self, pairs: Mapping[str, CodePair]) -> None:
        """Take the findings of these pairs if they are known already. Raises NotCompared."""
        missing = {tool: pair for tool, pair in pairs.items() if pair.key not in self._findings}
        self._take(
            missing,
            {tool: self._comparer.begin(pair.old, pair.new) for tool, pair in missing.items()},
        )

    def is_known(self, key: Hashable) -> bool:
        """Return whether the pair with this key was compared already."""
        return key in self._findings

    def findings(self, pair: CodePair | None) -> list[Finding]:
        """Return what the new code of a compared pair breaks; an empty list for no pair."""
        return [] if pair is None else self._findings[pair.key]

    def known_findings(self, key: Hashable) -> list[Finding]:
        """Return the findings of a pair; an empty list if it was not compared."""
        return self._findings.get(key, [])

    def _take(
        self,
        pairs: Mapping[str, CodePair],
        running: Mapping[str, "asyncio.Future[list[Finding]]"],
    ) -> None:
        for tool, future in running.items():
            if future.done():
                self._findings[pairs[tool].key] = future.result()
        if late := {tool: future for tool, future in running.items() if not future.done()}:
            raise NotCompared(late)
