"""How near the current version is to each threshold rule."""

from collections.abc import Sequence
from typing import NamedTuple

from policy.decision.threshold_rules import rules_that_hold
from policy.state.counts import Counts
from policy.state.row import Row
from schemas.failures.error_class import is_signature_error
from schemas.rollback import Reason, Tier
from schemas.rules.rules import Rules


class RuleNow(NamedTuple):
    """A rule, with the number that it judges and the limit of that number."""

    tier: Tier
    reason: Reason
    holds: bool
    value: float | None
    """A number of failures, a failure rate, or a drop of the success rate; None if it cannot be
    told: there are no executions, or no baseline."""
    limit: float
    """The rule holds when ``value`` reaches this; for `high_failure_rate`, when it is above."""
    executions: int
    """How many executions the rule looks at now."""
    executions_needed: int
    """The rule holds only if it looks at least at so many."""


class NearestRule(NamedTuple):
    """The rule that is nearest to condemning a version, and how far the version has gone: to 1."""

    reason: Reason
    share: float


def nearest_threshold(row: Row, rules: Rules) -> NearestRule | None:
    """Return the rule that is nearest; None if nothing speaks against the version."""
    nearest = max(rules_now(row, rules), key=_share_of)
    share = _share_of(nearest)
    return NearestRule(nearest.reason, share) if share > 0 else None


def _share_of(rule: RuleNow) -> float:
    """Return how much of the way to a rule is gone: 1 if it holds, and less if it does not.

    A rate is also as far away as executions are missing until the rule may hold.
    """
    if rule.holds:
        return 1.0
    if rule.value is None or rule.value <= 0:
        return 0.0
    way = min(rule.value / rule.limit, 1.0) if rule.limit > 0 else 1.0
    if rule.reason not in ("consecutive_failures", "signature_change"):
        way *= min(rule.executions / rule.executions_needed, 1.0)
    return min(way, 0.99)


def rules_now(row: Row, rules: Rules) -> list[RuleNow]:
    """Return each rule, in the order in which they are asked."""
    errors = row.recent_errors(rules)
    fast, standard = row.fast.counts, row.standard.counts
    recent = Counts(len(errors), len(errors) - errors.count(None))
    holding = {(verdict.tier, verdict.reason) for verdict in rules_that_hold(row, rules)}
    found: list[tuple[Tier, Reason, float | None, float, int, int]] = [
        (
            *("immediate", "consecutive_failures"),
            *(newest_failures(errors), rules.consecutive_failures),
            *(recent.executions, rules.consecutive_failures),
        ),
        (
            *("immediate", "signature_change"),
            *(sum(map(is_signature_error, errors)), rules.signature_failures),
            *(recent.executions, rules.signature_failures),
        ),
        (
            *("immediate", "complete_failure"),
            *(_failure_rate(recent), 1.0),
            *(recent.executions, rules.complete_failure_recent),
        ),
        (
            *("fast", "complete_failure"),
            *(_failure_rate(fast), 1.0),
            *(fast.executions, rules.complete_failure_executions),
        ),
        (
            *("fast", "high_failure_rate"),
            *(_failure_rate(fast), float(rules.high_failure_rate)),
            *(fast.executions, rules.high_failure_rate_executions),
        ),
        (
            *("standard", "success_rate_drop"),
            *(_drop(row), float(rules.success_rate_drop)),
            *(standard.executions, rules.standard_executions),
        ),
    ]
    return [RuleNow(each[0], each[1], each[:2] in holding, *each[2:]) for each in found]


def newest_failures(errors: Sequence[str | None]) -> int:
    """Return how many of the newest executions failed in a row; None is a success, newest last."""
    count = 0
    for error in reversed(errors):
        if error is None:
            break
        count += 1
    return count


def _failure_rate(counts: Counts) -> float | None:
    return counts.failures / counts.executions if counts.executions else None


def _drop(row: Row) -> float | None:
    """Return how far the success rate is below the baseline's; None without one of them."""
    rate, baseline = row.standard.counts.success_rate, row.baseline
    if rate is None or baseline is None or baseline.success_rate is None:
        return None
    return baseline.success_rate - rate
