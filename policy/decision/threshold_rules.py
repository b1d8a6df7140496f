"""What the rules say of a row, and the command that follows. Pure: no clock, no I/O.

The rules in their order, the first that holds wins (contract, section 2, policy `seed`). Under
policy `guarded` the evidence decides (``policy/decision/guarded.py``), and the rule is only named.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple
from zlib import crc32

from policy.decision.guarded import evidence_details, has_reached, stands_condemned
from policy.state.row import SECOND, Counts, Row, is_signature_error
from schemas.fields import time_of
from schemas.rollback import (
    Mode,
    Reason,
    RollbackCommand,
    Tier,
    automatic_command_id,
    observed_command_id,
)
from schemas.rules import Rules

ISSUED_BY = "detector"


class Verdict(NamedTuple):
    """A rule that holds, or `regression`, with the counts of the window that decided."""

    tier: Tier
    reason: Reason
    counts: Counts


def judge(row: Row, rules: Rules, but: Sequence[Reason] = ()) -> Verdict | None:
    """The first rule that holds for the current version and has none of the reasons ``but``, or
    None. O(ring).

    No rule blames a success, and what is `recent` is in the fast window too: a version without
    failures costs nothing.
    """
    if not row.standard.failures and not row.fast.failures:
        return None
    for verdict in _holding(row, rules):
        if verdict.reason not in but:
            return verdict
    return None


def _holding(row: Row, rules: Rules) -> Iterator[Verdict]:
    """The rules that hold, in their order."""
    if row.fast.failures:
        errors = row.ring.errors
        if errors.count(None) < len(errors):
            yield from _immediate(row, rules)
        yield from _fast(row, rules)
    if row.standard.failures:
        yield from _standard(row, rules)


def cannot_trigger(row: Row, now_us: int, rules: Rules) -> bool:
    """Whether no rule can hold while successes are counted, of which the newest is at ``now_us``.

    By itself a success brings no rule about, and while one is in a window not all have failed. But
    time drops older successes, and each one brings a window nearer to the number of executions that
    a rule asks for: so a rate is judged by the fewest executions with which its rule may meet the
    failures that are there. Under `guarded` only failures condemn.
    """
    if rules.policy == "guarded":
        return True
    if judge(row, rules) is not None:
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


def stands(row: Row, rules: Rules) -> Verdict | None:
    """What the policy says of the current version by now, whatever execution came last."""
    if rules.policy == "seed":
        return _first(row, rules)
    return _named(row, rules) if stands_condemned(row, rules) else None


def _named(row: Row, rules: Rules) -> Verdict:
    """Why the evidence is against a version: the rule that holds at this moment, if one does."""
    return judge(row, rules) or Verdict("standard", "regression", _seen(row))


def _seen(row: Row) -> Counts:
    """All that the evidence has counted of this activation."""
    evidence = row.tool_evidence and row.tool_evidence.evidence
    return Counts(evidence.executions, evidence.failures) if evidence else Counts(0, 0)


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
    if failures >= rules.signature_errors and (
        sum(map(is_signature_error, errors)) >= rules.signature_errors
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


def _fails_often(counts: Counts, rules: Rules) -> bool:
    above, below = _ratio(rules.high_failure_rate)
    return counts.failures * below > above * counts.executions


def _standard(row: Row, rules: Rules) -> Iterator[Verdict]:
    counts = row.standard.counts
    if counts.executions >= rules.standard_executions and _has_dropped(counts, row, rules):
        yield Verdict("standard", "success_rate_drop", counts)


def _has_dropped(counts: Counts, row: Row, rules: Rules) -> bool:
    baseline = row.baseline
    if baseline is None:
        return False
    above, below = _ratio(rules.success_rate_drop)
    # baseline - rate >= above / below, in whole numbers
    drop = baseline.successes * counts.executions - counts.successes * baseline.executions
    return drop * below >= above * baseline.executions * counts.executions


@lru_cache(maxsize=256)
def _ratio(rate: Decimal) -> tuple[int, int]:
    return rate.as_integer_ratio()


def decide(row: Row, tool_name: str, timestamp_us: int, rules: Rules) -> RollbackCommand | None:
    """The command that the execution just counted demands, noted in the row; None if none.

    An activation is commanded once, and again only after an interval of event time that doubles
    with each attempt. ``timestamp_us`` is the Kafka timestamp of the deciding record.
    """
    now_us = row.now_us
    waits = now_us is None or (
        row.attempts > 0 and now_us < row.commanded_us + _interval_us(row, rules)
    )
    if waits and not (rules.observe or rules.enforced_share < 1):
        return None
    verdict = _decided(row, rules)
    if verdict is None or now_us is None:
        return None
    mode = mode_of(verdict.reason, tool_name, row.activation, rules)
    if mode == "observe":
        if verdict.reason in row.observed:
            return None
        row.observed = [*row.observed, verdict.reason]
        command_id = observed_command_id(tool_name, row.version_id, row.activation, verdict.reason)
    else:
        if waits:
            return None
        row.attempts += 1
        row.commanded_us = now_us
        command_id = automatic_command_id(tool_name, row.version_id, row.activation, row.attempts)
        row.command_id = str(command_id)
    return RollbackCommand(
        command_id=command_id,
        tool_name=tool_name,
        from_version_id=row.version_id,
        from_activation=row.activation,
        tier=verdict.tier,
        reason=verdict.reason,
        mode=mode,
        details=details_of(row, verdict, rules),
        issued_by=ISSUED_BY,
        issued_at=time_of(min(now_us, timestamp_us)),
    )


def _decided(row: Row, rules: Rules) -> Verdict | None:
    """What is against the version at the execution just counted."""
    if rules.policy == "seed":
        return _first(row, rules)
    return _named(row, rules) if has_reached(row, rules) else None


def _first(row: Row, rules: Rules) -> Verdict | None:
    """The first rule that holds. One that is only observed stands behind all others: it must not
    hide one that acts.
    """
    verdict = judge(row, rules, rules.observe)
    return judge(row, rules) if verdict is None and rules.observe else verdict


def mode_of(reason: Reason, tool_name: str, activation: int, rules: Rules) -> Mode | None:
    """What becomes of a decision for this reason; None where it is carried out."""
    if reason in rules.observe or not _is_enforced(tool_name, activation, rules.enforced_share):
        return "observe"
    return "hold" if reason in rules.hold else None


def _is_enforced(tool_name: str, activation: int, share: float) -> bool:
    """Drawn by the activation: whoever asks, and however often, the answer is the same."""
    return share >= 1 or crc32(f"{activation}/{tool_name}".encode()) < share * 2**32


def _interval_us(row: Row, rules: Rules) -> int:
    doubled = rules.attempt_interval_s << min(row.attempts - 1, 64)
    return min(doubled, rules.attempt_interval_max_s) * SECOND


def details_of(row: Row, verdict: Verdict, rules: Rules) -> dict[str, Any]:
    """The evidence: the executions of `recent` (newest first), the counts that decided, and the
    baseline; under `guarded` what the tests say, with every number of it.
    """
    details = {
        "recent": [str(seen.execution_id) for seen in reversed(row.recent(rules))],
        "executions": verdict.counts.executions,
        "failures": verdict.counts.failures,
        "success_rate": verdict.counts.success_rate,
        "baseline": baseline_of(row),
        "attempt": row.attempts,
    }
    if rules.policy == "guarded":
        details["evidence"] = evidence_details(row, rules)
    return details


def baseline_of(row: Row) -> dict[str, Any] | None:
    """The baseline as messages show it."""
    baseline = row.baseline
    if baseline is None:
        return None
    return {"executions": baseline.executions, "success_rate": baseline.success_rate}
