"""Policies side by side: in which activations they differ, and what each would have done."""

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from policy.backtest.trials import Trial, Trials


class Summary(NamedTuple):
    """The rollbacks that one policy would have issued. The medians are None without any."""

    rolled_back: int
    median_executions: float | None
    median_failures: float | None
    also: int
    """Activations that it rolls back and that were really rolled back."""
    alone: int
    """Activations that it rolls back and that were not."""


def summaries(found: Trials, policies: int) -> list[Summary]:
    """Return the summary of each policy, in their order."""
    return [_summary(found.notable, index) for index in range(policies)]


def _summary(trials: Sequence[Trial], index: int) -> Summary:
    decided = [
        (trial, decision) for trial in trials if (decision := trial.decisions[index]) is not None
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
    """Return whether some policies roll the activation back and others do not."""
    return None in trial.decisions and any(trial.decisions)


def ordered(trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials in which the policies differ first, then the others; each in time order."""
    return sorted(
        trials, key=lambda trial: (not differs(trial), trial.activated_us, trial.tool_name)
    )
