"""The evidence about one activation: what is counted of it, so that it can be weighed.

How it is weighed, and why these numbers are enough: ``policy/weighing/weighing.py``. The evidence
is whole numbers, and floats that change only when an execution fails. So n successes counted at
once leave the same bits as n successes counted one by one.
"""

from typing import Final, NamedTuple

import msgspec

_MOST_WON: Final = 1e300
"""A bet cannot win more than this, so that nothing becomes infinite."""


class BreakBets(NamedTuple):
    """The bets of the test for a break: each tuple holds one number for each bet."""

    lost: tuple[float, ...]
    """The share of the successes that fail if the bet is right, in (0, 1]: a success takes this
    share of the winnings away."""
    failure: tuple[float, ...]
    """The factor for a failure that follows a success, or that is the first execution."""
    failure_after_failure: tuple[float, ...]
    """The factor for a failure that follows a failure."""


class Baseline(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Counts of a version, with which the next version is compared."""

    executions: int
    failures: int
    signature_errors: int
    after_failure: int
    """Executions that followed a failure."""
    failures_after_failure: int

    @property
    def successes(self) -> int:
        """The executions that did not fail."""
        return self.executions - self.failures


class Evidence(msgspec.Struct, array_like=True, gc=False):
    """Counts of one activation, in the order of its log. At most 70 bytes in a row."""

    successes: int = 0
    failures: int = 0
    failures_after_failure: int = 0
    signature_errors: int = 0
    since_failure: int = 0
    """Successes since the last failure; without a failure, all of them."""
    breaks: list[float] = []
    """The winnings of each bet of the test for a break at the last failure; empty before it."""

    @property
    def executions(self) -> int:
        """All executions that are evidence."""
        return self.successes + self.failures

    @property
    def last_failed(self) -> bool:
        """Whether the newest execution failed."""
        return self.failures > 0 and not self.since_failure

    @property
    def after_failure(self) -> int:
        """Executions that followed a failure."""
        return self.failures - self.last_failed

    @property
    def baseline(self) -> Baseline:
        """This activation as the baseline of the version after it."""
        return Baseline(
            self.executions,
            self.failures,
            self.signature_errors,
            self.after_failure,
            self.failures_after_failure,
        )

    def add_success(self, number: int = 1) -> None:
        """Count ``number`` successes in a row. A success never condemns a version."""
        self.successes += number
        self.since_failure += number

    def add_failure(self, is_signature_error: bool, bets: BreakBets) -> None:
        """Count one failure. ``bets`` are the same during an activation."""
        after_failure = self.last_failed
        factors = bets.failure_after_failure if after_failure else bets.failure
        self.breaks = [
            min((won + 1.0) * factor, _MOST_WON)
            for won, factor in zip(self.breaks_now(bets.lost), factors, strict=True)
        ]
        self.failures += 1
        self.failures_after_failure += after_failure
        self.signature_errors += is_signature_error
        self.since_failure = 0

    def breaks_now(self, lost: tuple[float, ...]) -> list[float]:
        """Return what each bet of the test for a break has won by now (``BreakBets.lost``).

        Every execution adds a stake of 1 to a bet, and a success then leaves r = 1 - lost of it.
        So n successes turn M into M rⁿ + r (1 - rⁿ) / (1 - r).
        """
        number = self.since_failure
        won = self.breaks or [0.0] * len(lost)
        if not number:
            return won
        now = []
        for share, before in zip(lost, won, strict=True):
            kept = 1.0 - share
            power: float = kept**number
            now.append(before * power + kept * (1.0 - power) / share)
        return now
