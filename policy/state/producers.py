"""Who executed the tools of a partition: an outage must not rest on one producer alone.

A *producer* is what the ``session_id`` of an execution names, or its ``caller`` if it has none.
All executions without both are of one producer. Producers name themselves, and nothing proves what
they say: one that takes a new name for each execution counts as many.
"""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple
from zlib import crc32

import msgspec

from schemas.execution_entry import ExecutionEntry

CELLS: Final = 64
"""How many cells represent the tools of a partition (``policy.state.outage_watch``)."""
UNUSED, SUCCEEDED, FAILED, ACTIVATED = range(4)
"""The state of a cell: never used; the last execution succeeded; it failed; a version was activated
and has not succeeded since."""


class FailingTools(NamedTuple):
    """Tools (cells) that were executed lately, and those whose last execution failed."""

    tools: int
    failing: int

    def without_one_failing(self) -> "FailingTools":
        """Return the numbers without one tool that fails."""
        return FailingTools(self.tools - 1, self.failing - 1)


class Producers(msgspec.Struct, array_like=True, gc=False):
    """For each cell its last producer, and the last execution that another producer made.

    So one producer alone can never hide what all others see, however often it executes a tool.
    """

    newest: list[int] = msgspec.field(default_factory=lambda: [0] * CELLS)
    """The producer of the last execution."""
    others: list[int] = msgspec.field(default_factory=lambda: [0] * CELLS)
    """The producer before it that was another one."""
    seconds: list[int] = msgspec.field(default_factory=lambda: [0] * CELLS)
    """When that one executed a tool of the cell last."""
    states: list[int] = msgspec.field(default_factory=lambda: [UNUSED] * CELLS)
    """The state of the cell then."""

    def changed(self, cell: int, producer: int, second: int, state: int) -> None:
        """Note that another producer executes; ``second`` and ``state`` are what the last left."""
        self.others[cell] = self.newest[cell]
        self.seconds[cell], self.states[cell] = second, state
        self.newest[cell] = producer

    def activated(self, cell: int) -> None:
        """Forget what was seen of the version before."""
        self.states[cell] = UNUSED

    def others_than_loudest(
        self, seconds: Sequence[int], states: Sequence[int], since_s: int
    ) -> FailingTools:
        """Return what all producers saw since then, but the one with the most failing cells.

        ``seconds`` and ``states`` are those of the last executions.
        """
        loud = Counter(
            producer for producer, state in zip(self.newest, states, strict=True) if state == FAILED
        )
        loudest = max(loud, key=lambda producer: (loud[producer], producer), default=None)
        seen = [
            self.states[cell] if is_loud else states[cell]
            for cell, is_loud in enumerate(producer == loudest for producer in self.newest)
            if (self.seconds if is_loud else seconds)[cell] >= since_s
        ]
        failing = seen.count(FAILED)
        return FailingTools(seen.count(SUCCEEDED) + failing, failing)


def producer_of(execution: ExecutionEntry) -> int:
    """Return a hash of the producer, of 16 bits; 0 if the execution names none."""
    name = execution.session_id or execution.caller
    return _hash(name) if name else 0


@lru_cache(maxsize=4_096)
def _hash(name: str) -> int:
    return crc32(name.encode()) & 0xFFFF
