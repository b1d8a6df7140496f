"""Which bad records get a dead letter: all of them, until too many come at once.

Whoever sends a bad record pays for what he sends, and we pay for the dead letter, which is kept for
weeks. So each partition of a topic has an allowance in bytes that fills up as time goes by. When it
is used up, bad records are only counted, and one in many gets a dead letter.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

_MINUTE_S: Final = 60.0


class DeadLetterLimits(NamedTuple):
    """How many bytes of dead letters each partition may cost, and which are published beyond."""

    bytes_per_minute: int
    one_in: int
    """Of bad records beyond the allowance, one in this many gets a dead letter."""


@dataclass(frozen=True, slots=True)
class DeadLetterAllowance:
    """What is left of the allowance of one partition, and what it was not enough for."""

    left_bytes: float
    """It is below zero after a dead letter that was larger than what was left."""
    at_s: float
    """The time at which this was left, in seconds of any clock that does not go back."""
    unpublished: int = 0
    """How many bad records since the last dead letter have none."""

    @classmethod
    def full(cls, limits: DeadLetterLimits, now_s: float) -> "DeadLetterAllowance":
        """Return the whole allowance: what a minute fills up."""
        return cls(limits.bytes_per_minute, now_s)

    def after(
        self, size: int, now_s: float, limits: DeadLetterLimits
    ) -> "tuple[DeadLetterAllowance, bool]":
        """Return what is left after one more bad record, and whether it gets a dead letter.

        ``size`` is that of its dead letter in bytes.
        """
        filled = (now_s - self.at_s) / _MINUTE_S * limits.bytes_per_minute
        left = min(limits.bytes_per_minute, self.left_bytes + max(0.0, filled))
        if left > 0 or self.unpublished + 1 >= limits.one_in:
            return DeadLetterAllowance(max(left - size, -limits.bytes_per_minute), now_s), True
        return DeadLetterAllowance(left, now_s, self.unpublished + 1), False
