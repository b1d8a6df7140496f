"""Durations, or costs, of the executions of a tool that succeeded.

The current activation is compared with the *tail* of the version before it: how many of its numbers
lay above its own 95 % quantile. Two things would make a healthy version look
slow:

- Slow executions come in runs, for example while a server is busy. So an execution that follows one
  above the threshold is counted apart.
- Load has a daily rhythm. So the tail is taken of the last hour or so before the version was
  replaced (a *block* of numbers), and the next version is compared with it for about as long.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, Self

import msgspec

from policy.state.quality.tail import Histogram, Tail
from schemas.rules.rules import Rules

LEAST_OF_BLOCK: Final = 100
"""A block ends when its time is over and it has so many numbers."""
LEAST_OF_BASELINE: Final = 30
"""With fewer numbers there is no 95 % quantile to compare with."""


class Addition(msgspec.Struct, gc=False):
    """What numbers add that are counted at once. A struct, because a NamedTuple takes longer."""

    left_out: int
    numbers: Sequence[float]
    """Those that are not left out."""
    counted: int
    above: int
    repeats: int
    was_above: bool


class Measured(msgspec.Struct, array_like=True, gc=False):
    """What is known of one kind of numbers. Times are seconds of ``executed_at``."""

    baseline: Tail | None = None
    """The tail that the current activation is compared with; None if there is none."""
    baseline_s: int = 0
    """When the numbers of the baseline ended."""
    left_out: int = 0
    """How many numbers of this activation were left out, because a version has to warm up."""
    counted: int = 0
    """How many numbers are evidence."""
    above: int = 0
    """How many of these lie above the baseline's threshold."""
    repeats: int = 0
    """How many of these followed another one above it."""
    was_above: bool = False
    """Whether the newest number that is evidence lies above it."""
    block: Histogram = msgspec.field(default_factory=Histogram)
    block_s: int = 0
    """When the block began; 0 if it has no number."""
    block_before: Tail | None = None
    """The tail of the block before; None if there was none."""

    def count(self, number: float, now_s: int, rules: Rules) -> bool:
        """Count the number of one success; return whether it speaks against the version."""
        if self.left_out < rules.warm_up_executions:
            self.left_out += 1
            return False
        if self._may_end(now_s, 0, rules):
            self.block_before, self.block, self.block_s = self.block.tail(), Histogram(), 0
        self.block_s = self.block_s or now_s
        self.block.add((number,))
        baseline = self.baseline
        if baseline is None or self._is_over(now_s, rules):
            return False
        follows_one_above, self.was_above = self.was_above, number >= baseline.limit
        self.counted += 1
        self.above += self.was_above
        self.repeats += self.was_above and follows_one_above
        return self.was_above

    def addition(
        self, numbers: Sequence[float], before_s: int, now_s: int, rules: Rules
    ) -> Addition | None:
        """Return what these numbers add; None if they must be counted one by one.

        'Now' is ``before_s`` before they are counted, and ``now_s`` after the last of them.
        """
        left_out = 0
        if self.left_out < rules.warm_up_executions:
            left_out = min(rules.warm_up_executions - self.left_out, len(numbers))
            numbers = numbers[left_out:]
            if not numbers:
                return Addition(left_out, numbers, 0, 0, 0, self.was_above)
        if not self.block_s or self._may_end(now_s, len(numbers), rules):
            return None
        baseline = self.baseline
        if baseline is not None and not self._is_over(now_s, rules):
            return self._compared(left_out, numbers, baseline.limit)
        if baseline is not None and not self._is_over(before_s, rules):
            return None
        return Addition(left_out, numbers, 0, 0, 0, self.was_above)

    def add(self, addition: Addition) -> None:
        """Count the numbers of ``addition``."""
        self.left_out += addition.left_out
        self.block.add(addition.numbers)
        self.counted += addition.counted
        self.above += addition.above
        self.repeats += addition.repeats
        self.was_above = addition.was_above

    def replaced(self, now_s: int) -> Self:
        """Return what the next version is compared with: this one, or what this one was with."""
        candidates = [self.block.tail(), self.block_before]
        enough = [tail for tail in candidates if tail and tail.counted >= LEAST_OF_BASELINE]
        if not enough:
            return self.again()
        return type(self)(max(enough, key=lambda tail: tail.counted), now_s)

    def again(self) -> Self:
        """Return what a version is compared with that gets the same baseline."""
        return type(self)(self.baseline, self.baseline_s)

    @property
    def after_one_above(self) -> int:
        """How many numbers followed one above the threshold."""
        return self.above - self.was_above

    def _compared(self, left_out: int, numbers: Sequence[float], limit: float) -> Addition:
        """Return what these numbers add, of which those from ``limit`` on lie above."""
        number, above = len(numbers), [at for at, each in enumerate(numbers) if each >= limit]
        if not above:
            return Addition(left_out, numbers, number, 0, 0, False)
        repeats = sum([after - before == 1 for before, after in pairwise(above)])
        repeats += self.was_above and not above[0]
        return Addition(left_out, numbers, number, len(above), repeats, above[-1] == number - 1)

    def _may_end(self, now_s: int, more: int, rules: Rules) -> bool:
        """Return whether the block ends before the next of ``more`` numbers, or one after it."""
        return (
            now_s - self.block_s >= rules.compared_span_s
            and self.block_s > 0
            and self.block.counted + more >= LEAST_OF_BLOCK
        )

    def _is_over(self, now_s: int, rules: Rules) -> bool:
        """Return whether the baseline is too old to be compared with."""
        return now_s - self.baseline_s > rules.compared_span_s
