"""Policies side by side: in which activations they differ, and what each comes to. Pure."""

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from policy.backtest.trials import Trial, Trials


class Summary(NamedTuple):
    """What one policy comes to. The medians are None where it rolls nothing back.

    ``also`` of the activations that were really rolled back it rolls back too, ``alone`` are those
    of its rollbacks that did not happen.
    """

    rolled_back: int
    median_executions: float | None
    median_failures: float | None
    also: int
    alone: int


def summaries(found: Trials, policies: int) -> list[Summary]:
    """Of each policy, in their order."""
    return [_summary(found.notable, number) for number in range(policies)]


def _summary(trials: Sequence[Trial], number: int) -> Summary:
    decided = [
        (trial, decision) for trial in trials if (decision := trial.decisions[number]) is not None
    ]
    also = sum(trial.was_rolled_back for trial, _ in decided)
    return Summary(
        len(decided),
        median(decision.executions for _, decision in decided) if decided else None,
        median(decision.failures for _, decision in decided) if decided else None,
        also,
        len(decided) - also,
    )


def differs(trial: Trial) -> bool:
    """Whether some policies roll it back and others do not."""
    return None in trial.decisions and any(trial.decisions)


def ordered(trials: Sequence[Trial]) -> list[Trial]:
    """First those in which the policies differ, then the others; each in the order of time."""
    return sorted(
        trials, key=lambda trial: (not differs(trial), trial.activated_us, trial.tool_name)
    )
