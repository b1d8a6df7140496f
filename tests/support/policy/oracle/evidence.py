"""The evidence of policy `guarded`: which executions are part of it, and what it weighs."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any

from policy.state.evidence import Baseline, Evidence
from policy.weighing.betting_tables import EvidenceNumbers, betting_tables_of
from policy.weighing.weighing import WeighedEvidence, weigh
from schemas.execution import Execution
from schemas.rules.rules import Rules
from tests.support.policy.oracle.log import (
    EPOCH,
    CountedExecution,
    Entry,
    counted_for,
    real_activations,
)
from tests.support.policy.oracle.whose_failure import is_signature_error


@dataclass(frozen=True)
class Tally:
    """The counts of an activation's executions, in the order of the log."""

    executions: int
    failures: int
    signature_errors: int
    after_failure: int
    failures_after_failure: int


def evidence_in(log: Sequence[Entry], rules: Rules) -> set[int]:
    """Return the offsets of the executions that are evidence.

    Executions of muted callers are none (``policy/state/muted_callers.py``).
    """
    indices = real_activations(log)
    counted = [
        execution
        for index, end in zip(indices, [*indices[1:], len(log)], strict=True)
        for execution in counted_for(log, index, end, rules)
    ]
    evidence: set[int] = set()
    failed: list[tuple[str, int]] = []
    for index, newest in enumerate(counted):
        before, until = counted[:index], counted[: index + 1]
        caller = _caller(newest.execution)
        now_s = max(_second(each) for each in until)
        others = [n for n, each in enumerate(before) if _caller(each.execution) != caller]
        failed = [each for each in failed if each[1] >= now_s - rules.repeat_span_s]
        is_muted = caller != "" and caller in [each[0] for each in failed]
        if not others or now_s - max(_second(each) for each in counted[: others[-1] + 1]) > (
            rules.repeat_others_s
        ):
            is_muted = False
        if is_muted and failed[-1][0] != caller:
            (failed_s,) = [since_s for each, since_s in failed if each == caller]
            is_muted = any(each.execution.success and _second(each) >= failed_s for each in before)
        if not is_muted:
            evidence.add(newest.offset)
        if caller and not is_muted and not newest.execution.success and rules.repeat_span_s:
            failed = [each for each in failed if each[0] != caller]
            since_s = max([_second(newest), *(each[1] for each in failed)])
            failed = [*failed, (caller, since_s)][-8:]
    return evidence


def _caller(execution: Execution) -> str:
    given = {"i": execution.input_hash, "c": execution.caller, "s": execution.session_id}
    return next((kind + text for kind, text in given.items() if text), "")


def _second(execution: CountedExecution) -> int:
    return (execution.executed_at - EPOCH) // timedelta(seconds=1)


def tally_of(
    executions: Sequence[CountedExecution], rules: Rules, evidence: set[int] | None = None
) -> Tally:
    """Count all of these executions, or those at the offsets in ``evidence``."""
    if evidence is not None:
        executions = [each for each in executions if each.offset in evidence]
    failed = [not each.execution.success for each in executions]
    return Tally(
        len(executions),
        sum(failed),
        sum(is_signature_error(each.execution, rules) for each in executions),
        sum(before for before, _ in pairwise(failed)),
        sum(before and after for before, after in pairwise(failed)),
    )


def weighed_of(
    executions: Sequence[CountedExecution],
    baseline: Tally | None,
    rules: Rules,
    is_breaking: bool,
) -> WeighedEvidence:
    """Return the weighed evidence after these executions of an activation."""
    numbers = EvidenceNumbers.of(rules)
    if is_breaking:
        alpha = rules.signature_alpha
        watched_closer = max(alpha, min(alpha * rules.breaking_factor, 0.5))
        numbers = numbers._replace(signature_alpha=watched_closer)
    baseline_version = None if baseline is None else Baseline(**asdict(baseline))
    evidence = Evidence()
    for each in executions:
        if each.execution.success:
            evidence.add_success()
        else:
            bets = betting_tables_of(baseline_version, numbers).break_bets
            evidence.add_failure(is_signature_error(each.execution, rules), bets)
    return weigh(evidence, baseline_version, numbers)


def evidence_shown(weighed: WeighedEvidence, seen: Tally) -> dict[str, Any]:
    test, against = weighed.nearest_to_limit
    known = weighed.baseline
    fields = Tally.__dataclass_fields__
    return {
        "test": test,
        "odds": against.odds,
        "limit": against.limit,
        "expected_success_rate": against.expected.success_rate,
        "expected_failure_rate": against.expected.failure_rate,
        "expected_repeat_rate": against.expected.repeat_rate,
        "confidence": against.expected.confidence,
        "assumed": known is None,
        "baseline": None if known is None else {name: getattr(known, name) for name in fields},
        "seen": asdict(seen),
    }
