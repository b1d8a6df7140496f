"""Outcomes of executions, drawn by chance. Pure: the caller passes the random generator."""

from collections.abc import Iterable, Iterator
from random import Random
from typing import Final, NamedTuple

Outcome = str | None
"""The outcome of one execution: None for a success, else the class of its error."""

SIGNATURE_ERROR: Final = "TypeError"
OTHER_ERROR: Final = "ValueError"


class Phase(NamedTuple):
    """A number of executions whose success rate changes in a straight line."""

    executions: int
    success_rate: float
    success_rate_at_end: float
    signature_share: float = 0.1
    """The share of the failures that are signature errors."""


def steady(executions: int, success_rate: float, signature_share: float = 0.1) -> Phase:
    """Return a phase whose success rate does not change."""
    return Phase(executions, success_rate, success_rate, signature_share)


def outcomes(
    phases: Iterable[Phase], run_length: float | None, random: Random
) -> Iterator[Outcome]:
    """Yield the outcome of one execution after the other.

    Without ``run_length`` executions are independent. With it they are a Markov chain of two states
    (success and failure), which begins in its stationary distribution. A failure follows a failure
    with a probability of 1 - 1/``run_length``, so a run has ``run_length`` failures on average. A
    failure follows a success just often enough that the rate of failures in the long run is that of
    the phase. If the phase's rate of failures is greater than 1 - 1/``run_length``, executions are
    independent.
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
    """Return the probability that the next execution fails.

    ``failed_before`` is None for the first execution.
    """
    if run_length is None or failed_before is None:
        return failure_rate
    again = 1 - 1 / run_length
    if again <= failure_rate:
        return failure_rate
    return again if failed_before else failure_rate * (1 - again) / (1 - failure_rate)
