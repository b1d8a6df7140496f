"""The rules of the seed, each on its own counts."""

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from schemas.rollback import Reason, Tier
from schemas.rules.rules import Rules
from tests.support.policy.oracle.counts import Counts, counts_of, in_window
from tests.support.policy.oracle.log import CountedExecution
from tests.support.policy.oracle.whose_failure import is_signature_error


class Decision(NamedTuple):
    tier: Tier
    reason: Reason
    decided_on: Counts


def rules_that_hold(
    executions: Sequence[CountedExecution],
    recent: Sequence[CountedExecution],
    baseline: Counts | None,
    rules: Rules,
) -> list[Decision]:
    """Return the rules that hold, in their order."""
    holding: list[Decision] = []
    of_recent = counts_of(recent)
    newest = recent[: rules.consecutive_failures]
    if len(newest) == rules.consecutive_failures and all(
        not each.execution.success for each in newest
    ):
        holding.append(Decision("immediate", "consecutive_failures", of_recent))

    signature_errors = [each for each in recent if is_signature_error(each.execution, rules)]
    if len(signature_errors) >= rules.signature_failures:
        holding.append(Decision("immediate", "signature_change", of_recent))

    if (
        of_recent.executions >= rules.complete_failure_recent
        and of_recent.failures == of_recent.executions
    ):
        holding.append(Decision("immediate", "complete_failure", of_recent))

    fast = in_window(executions, rules.fast_window_s, rules.fast_bucket_s)
    if fast.executions >= rules.complete_failure_executions and fast.failures == fast.executions:
        holding.append(Decision("fast", "complete_failure", fast))

    if fast.executions >= rules.high_failure_rate_executions and 1 - fast.success_rate > Fraction(
        rules.high_failure_rate
    ):
        holding.append(Decision("fast", "high_failure_rate", fast))

    standard = in_window(executions, rules.standard_window_s, rules.standard_bucket_s)
    if (
        baseline is not None
        and standard.executions >= rules.standard_executions
        and baseline.success_rate - standard.success_rate >= Fraction(rules.success_rate_drop)
    ):
        holding.append(Decision("standard", "success_rate_drop", standard))
    return holding
