"""Executions by chance. Pure: the generator of random numbers comes in."""

from collections.abc import Iterable, Iterator
from random import Random
from typing import Final, NamedTuple

Outcome = str | None
"""Of one execution: None for a success, else the class of its error, as a row's ring has it."""

SIGNATURE_ERROR: Final = "TypeError"
OTHER_ERROR: Final = "ValueError"


class Phase(NamedTuple):
    """A stretch of a version's life. The success rate goes in a line from one to the other."""

    executions: int
    success_rate: float
    success_rate_at_end: float
    signature_share: float = 0.1
    """How many of the failures are signature errors."""


def steady(executions: int, success_rate: float, signature_share: float = 0.1) -> Phase:
    """A phase whose rate does not change."""
    return Phase(executions, success_rate, success_rate, signature_share)


def outcomes(
    phases: Iterable[Phase], run_length: float | None, random: Random
) -> Iterator[Outcome]:
    """One execution after the other.

    Without ``run_length`` they are independent. With it they are a chain of two states that begins
    in the long run: a failure follows a failure with a probability of 1 - 1/``run_length``, which
    makes runs of so many failures on average, and a success just so often that the rate of failures
    in the long run is as the phase says. Where failures are more frequent than that by themselves
    they are independent.
    """
    failed: bool | None = None
    for phase in phases:
        step = (phase.success_rate_at_end - phase.success_rate) / max(phase.executions, 1)
        for number in range(phase.executions):
            rate = 1 - phase.success_rate - number * step
            failed = random.random() < _chance(rate, failed, run_length)
            if not failed:
                yield None
            else:
                by_signature = random.random() < phase.signature_share
                yield SIGNATURE_ERROR if by_signature else OTHER_ERROR


def _chance(failure_rate: float, failed_before: bool | None, run_length: float | None) -> float:
    """Of a failure, behind the outcome of before; None for the first."""
    if run_length is None or failed_before is None:
        return failure_rate
    again = 1 - 1 / run_length
    if again <= failure_rate:
        return failure_rate
    return again if failed_before else failure_rate * (1 - again) / (1 - failure_rate)
