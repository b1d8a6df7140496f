"""The six threshold rules, in their order: the first that holds wins (contract, section 2).

Policy `seed` rolls back by them. Policy `guarded` rolls back by evidence, and a rule that holds at
that moment only names the reason.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import lru_cache

from policy.decision.verdict import Verdict
from policy.state.counts import Counts
from policy.state.row import Row
from schemas.failures.error_class import is_signature_error
from schemas.rollback import Reason
from schemas.rules.rules import Rules


def first_rule_that_holds(row: Row, rules: Rules, but: Sequence[Reason] = ()) -> Verdict | None:
    """Return the first rule that holds and has none of the reasons ``but``; None if none holds.

    Takes time proportional to the ring. A version without failures costs nothing: no rule holds
    without a failure, and every recent execution is in the fast window too.
    """
    if not row.standard.failures and not row.fast.failures:
        return None
    for verdict in rules_that_hold(row, rules):
        if verdict.reason not in but:
            return verdict
    return None


def rules_that_hold(row: Row, rules: Rules) -> Iterator[Verdict]:
    """Yield each rule that holds, in their order."""
    if row.fast.failures:
        errors = row.ring.errors
        if errors.count(None) < len(errors):
            yield from _immediate(row, rules)
        yield from _fast(row, rules)
    if row.standard.failures:
        yield from _standard(row, rules)


def _immediate(row: Row, rules: Rules) -> Iterator[Verdict]:
    errors = row.recent_errors(rules)  # None is a success; the newest last
    size = len(errors)
    failures = size - errors.count(None)
    if not failures:
        return
    counts = Counts(size, failures)
    newest = errors[-rules.consecutive_failures :]
    if len(newest) >= rules.consecutive_failures and None not in newest:
        yield Verdict("immediate", "consecutive_failures", counts)
    if failures >= rules.signature_failures and (
        sum(map(is_signature_error, errors)) >= rules.signature_failures
    ):
        yield Verdict("immediate", "signature_change", counts)
    if size >= rules.complete_failure_recent and failures == size:
        yield Verdict("immediate", "complete_failure", counts)


def _fast(row: Row, rules: Rules) -> Iterator[Verdict]:
    counts = row.fast.counts
    if counts.executions >= rules.complete_failure_executions and not counts.successes:
        yield Verdict("fast", "complete_failure", counts)
    if counts.executions >= rules.high_failure_rate_executions and _fails_often(counts, rules):
        yield Verdict("fast", "high_failure_rate", counts)


def _standard(row: Row, rules: Rules) -> Iterator[Verdict]:
    counts = row.standard.counts
    if counts.executions >= rules.standard_executions and _has_dropped(counts, row, rules):
        yield Verdict("standard", "success_rate_drop", counts)


def no_rule_can_hold(row: Row, now_us: int, rules: Rules) -> bool:
    """Return whether no rule can hold while successes are counted; the newest is at ``now_us``.

    A success alone makes no rule hold, and while a window holds a success not all of its executions
    have failed. But time removes older successes from a window, and every new success brings it
    nearer to the number of executions that a rule asks for. So the rules about rates are tried with
    the fewest executions that they may meet together with the failures that are there.
    """
    if first_rule_that_holds(row, rules) is not None:
        return False
    fast = row.fast.fewest(now_us, rules.fast_bucket_s, rules.fast_window_s)
    if fast.failures:
        executions = max(fast.executions, rules.high_failure_rate_executions)
        if _fails_often(Counts(executions, fast.failures), rules):
            return False
    standard = row.standard.fewest(now_us, rules.standard_bucket_s, rules.standard_window_s)
    if not standard.failures:
        return True
    executions = max(standard.executions, rules.standard_executions)
    return not _has_dropped(Counts(executions, standard.failures), row, rules)


def _fails_often(counts: Counts, rules: Rules) -> bool:
    limit, whole = _as_ratio(rules.high_failure_rate)
    return counts.failures * whole > limit * counts.executions


def _has_dropped(counts: Counts, row: Row, rules: Rules) -> bool:
    """Return whether the success rate is below the baseline's by ``success_rate_drop`` or more."""
    baseline = row.baseline
    if baseline is None:
        return False
    limit, whole = _as_ratio(rules.success_rate_drop)
    # baseline's rate - rate >= limit / whole, in whole numbers
    drop = baseline.successes * counts.executions - counts.successes * baseline.executions
    return drop * whole >= limit * baseline.executions * counts.executions


@lru_cache(maxsize=256)
def _as_ratio(rate: Decimal) -> tuple[int, int]:
    return rate.as_integer_ratio()
