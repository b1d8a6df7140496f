"""Which trusted version an automatic rollback leads to, under policy `guarded`.

A version whose executions show that it does better than the replaced version is preferred to one
that is only nearer.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Final, NamedTuple

from policy.statistics.bounds import lower_bound
from schemas.rollback import TargetChoice
from schemas.rules.rules import Rules

CONFIDENCE: Final = 0.95
"""The confidence that a version's success rate is above its lower bound."""


class VersionCounts(NamedTuple):
    """Executions of a version, and how many of them succeeded."""

    executions: int
    successes: int


class Choice(NamedTuple):
    """The index of the target among the candidates, and why it was chosen."""

    candidate: int
    reason: TargetChoice


def choose_target(
    candidates: Sequence[VersionCounts], replaced: VersionCounts, rules: Rules
) -> Choice | None:
    """Return which of the trusted versions is the target; None without candidates.

    The nearest candidate stands first. The first one that has *earned* it is chosen: it has at
    least ``baseline_executions``, and the lower bound of its success rate (Clopper and Pearson's)
    is above the success rate of the replaced version. If none has, or if nothing is known of the
    replaced version, the *nearest* one is chosen.
    """
    if not candidates:
        return None
    if replaced.executions > 0:
        rate = Fraction(replaced.successes, replaced.executions)
        for index, seen in enumerate(candidates):
            if seen.executions >= rules.baseline_executions and _is_surely_above(seen, rate):
                return Choice(index, "earned")
    return Choice(0, "nearest")


def _is_surely_above(seen: VersionCounts, rate: Fraction) -> bool:
    successes = min(seen.successes, seen.executions)
    return lower_bound(successes, seen.executions, CONFIDENCE) > rate


def replaced_counts(details: Mapping[str, Any], recorded: VersionCounts) -> VersionCounts:
    """Return the counts of the version that is replaced.

    The counts of the window that decided, if the ``details`` of the command have them, because
    older executions say little about a version that broke; otherwise all that are ``recorded``.
    """
    executions, failures = details.get("executions"), details.get("failures")
    if type(executions) is int and type(failures) is int and 0 <= failures <= executions > 0:
        return VersionCounts(executions, executions - failures)
    return recorded
