"""Which trusted version an automatic rollback leads to, under policy `guarded`. Pure.

A version that shows by its executions that it does better than what it replaces goes before one
that is only nearer.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Final, NamedTuple

from policy.statistics.bounds import lower_bound
from schemas.rollback import TargetChoice
from schemas.rules import Rules

CONFIDENCE: Final = 0.95
"""That a version's success rate is above its bound."""


class Counts(NamedTuple):
    """Executions of a version, and how many of them succeeded."""

    executions: int
    successes: int


def choose_target(
    candidates: Sequence[Counts], replaced: Counts, rules: Rules
) -> tuple[int, TargetChoice] | None:
    """The place of the target among the trusted versions, of which the nearest stands first; None
    without any.

    The first that has *earned* its health: at least ``baseline_executions``, and the lower bound of
    its success rate (Clopper and Pearson's) above the success rate of what is replaced. If none
    has, or nothing is known of what is replaced, the *nearest*.
    """
    if not candidates:
        return None
    if replaced.executions > 0:
        rate = Fraction(replaced.successes, replaced.executions)
        for place, seen in enumerate(candidates):
            if seen.executions >= rules.baseline_executions and _surely_above(seen, rate):
                return place, "earned"
    return 0, "nearest"


def _surely_above(seen: Counts, rate: Fraction) -> bool:
    successes = min(seen.successes, seen.executions)
    return lower_bound(successes, seen.executions, CONFIDENCE) > rate


def replaced_counts(details: Mapping[str, Any], recorded: Counts) -> Counts:
    """What is known of a version that is to be replaced: the window that decided against it, for
    what it did long before is no comfort; or, where ``details`` do not say it, all that is
    ``recorded`` of it.
    """
    executions, failures = details.get("executions"), details.get("failures")
    if type(executions) is int and type(failures) is int and 0 <= failures <= executions > 0:
        return Counts(executions, executions - failures)
    return recorded
