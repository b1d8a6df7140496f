"""The outcomes of a version as a text: S is a success, F a failure, T a signature error."""

from itertools import pairwise

from policy.state.evidence import Baseline, Evidence
from policy.weighing.betting_tables import EvidenceNumbers, betting_tables_of
from schemas.rules.rules import Rules

POLICY = EvidenceNumbers.of(Rules())


def evidence_of(log: str, baseline: Baseline | None, policy: EvidenceNumbers = POLICY) -> Evidence:
    """Return the evidence of these outcomes, counted one by one."""
    evidence, tables = Evidence(), betting_tables_of(baseline, policy)
    for outcome in log:
        if outcome == "S":
            evidence.add_success()
        else:
            evidence.add_failure(outcome == "T", tables.break_bets)
    return evidence


def baseline_of(log: str) -> Baseline:
    """Return the baseline that these outcomes make."""
    pairs = list(pairwise(log))
    return Baseline(
        len(log),
        len(log) - log.count("S"),
        log.count("T"),
        sum(before != "S" for before, _ in pairs),
        sum(before != "S" and after != "S" for before, after in pairs),
    )
